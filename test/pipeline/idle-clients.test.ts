// Goal: clients that are only connected keep no payment waiting, however many they are; those that pay over connections
// that stay open, as the contest's do, keep them; and HAProxy starts with few descriptors.
// Method: a real HAProxy with places as `npm start` and as the containers have them. Thousands of clients ask once and
// stay, or say nothing at all, and close nothing themselves; then others pay. At their worst they had waited for 3 to
// 58 s, by HAProxy's version.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { after, describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { findFreePort } from '../../compose/local/ports.ts'
import { httpAnswers } from '../../compose/local/readiness.ts'
import { eventually, STUCK_AFTER_MS } from '../support/eventually.ts'
import { ownerOf } from '../support/owner.ts'
import { newPayment, required } from '../support/payments.ts'
import { bodyOf, startTestPipeline } from '../support/pipeline.ts'
import { sendRaw } from '../support/raw-http.ts'

const IDLE_COUNT = 3_000
/** The contest's users are 550. */
const CONTEST_COUNT = 750
const WITHIN_MS = 1_000
/** HAProxy wants two descriptors a client. */
const DESCRIPTORS_WANTED = 2 * IDLE_COUNT + 500

const QUESTION = 'GET /health HTTP/1.1\r\nHost: pipeline\r\n\r\n'

const REPOSITORY = join(import.meta.dirname, '..', '..')
const compose = readFileSync(join(REPOSITORY, 'compose/docker-compose.yml'), 'utf8')
const PLACES_IN_CONTAINER = required(/-n, "(\d+)"/.exec(compose)?.[1])
const KEPT_IN_CONTAINER = required(/KEEP_ALIVE_MAX: "(\d+)"/.exec(compose)?.[1])

const pipeline = await startTestPipeline({ monitors: 0 })
const own = ownerOf({ after })
const gatewayPaths = [1, 2].map(n => join(dirname(pipeline.stack.redisPath), `gateway-${n}.sock`))

/** One more HAProxy in front of the same gateways; returns its port. */
async function startBalancer(
  environment: Record<string, string>,
  words: readonly string[] = [],
  prefix: readonly string[] = []
): Promise<number> {
  const port = await findFreePort()
  const line = [...prefix, 'haproxy', '-db', ...words, '-f', join(REPOSITORY, 'haproxy/haproxy.cfg')]
  const gateways = Object.fromEntries(gatewayPaths.map((path, index) => [`GATEWAY_${index + 1}`, `unix@${path}`]))
  const balancer = own(
    spawn(required(line[0]), line.slice(1), {
      env: { PATH: process.env.PATH, BIND: `127.0.0.1:${port}`, ...gateways, ...environment },
      stdio: ['ignore', 'ignore', 'pipe']
    }),
    child => child.kill('SIGKILL')
  )
  let said = ''
  balancer.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await eventually('HAProxy and a gateway answer', async () => {
    assert.equal(balancer.exitCode, null, said)
    return await httpAnswers(`http://127.0.0.1:${port}/health`)
  })
  return port
}

type Crowd = {
  sockets: readonly Socket[]
  /** How many have had an answer, how many were told that the connection ends with it, how many were left. */
  counts: { answered: number; told: number; ended: number }
}

/**
 * Clients that ask once, or never, and stay. They come as fast as they are answered, or a hundred in a tenth of a
 * second.
 */
async function gather(port: number, count: number, isSilent = false): Promise<Crowd> {
  const counts = { answered: 0, told: 0, ended: 0 }
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const firsts = Array.from({ length: Math.min(100, count - sockets.length) }, () => {
      // Does not close when the other side does.
      const socket = own(connect({ port, host: '127.0.0.1', allowHalfOpen: true }), open => open.destroy())
      sockets.push(socket)
      socket
        .on('error', () => undefined)
        .on('end', () => {
          counts.ended += 1
        })
      socket.on('data', chunk => {
        counts.answered += 1
        if (/^connection: close/im.test(chunk.toString('latin1'))) counts.told += 1
      })
      if (!isSilent) socket.write(QUESTION)
      return once(socket, isSilent ? 'connect' : 'data').catch(() => undefined)
    })
    await Promise.race([Promise.all(firsts), sleep(100)])
  }
  return { sockets, counts }
}

function leave({ sockets }: Crowd): void {
  for (const socket of sockets) socket.destroy()
}

/** Each over a connection of its own, all at once; returns how long the slowest took. */
async function pay(port: number, count: number): Promise<number> {
  const startedAtMs = performance.now()
  const post = () => {
    const body = bodyOf(newPayment())
    const headers = `Host: pipeline\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`
    return sendRaw(port, `POST /payments HTTP/1.1\r\n${headers}\r\n\r\n${body}`)
  }
  const replies = await Promise.all(Array.from({ length: count }, post))
  assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([202]))
  return performance.now() - startedAtMs
}

async function assertNobodyWaits(port: number, t: TestContext): Promise<void> {
  // Several times, so that it is no luck.
  for (let round = 1; round <= 5; round++) {
    const tookMs = await pay(port, 100)
    t.diagnostic(`100 payments within ${tookMs.toFixed(0)} ms`)
    assert(tookMs < WITHIN_MS, `round ${round}: ${tookMs.toFixed(0)} ms`)
  }
}

const limit = spawnSync('sh', ['-c', 'ulimit -H -n'], { encoding: 'utf8' }).stdout
const tooFew = Number(/\d+/.exec(limit)?.[0] ?? Infinity) < DESCRIPTORS_WANTED

describe('idle clients', { timeout: STUCK_AFTER_MS }, () => {
  const startSmall = () => startBalancer({ KEEP_ALIVE_MAX: KEPT_IN_CONTAINER }, ['-n', PLACES_IN_CONTAINER])

  for (const isSmall of [false, true]) {
    const where = isSmall ? ' with the places of a container' : ''
    it(`${IDLE_COUNT} that ask once and stay keep no payment waiting${where}`, async t => {
      const port = isSmall ? await startSmall() : pipeline.port
      const crowd = await gather(port, IDLE_COUNT)
      await assertNobodyWaits(port, t)
      // About as many stay as may; those who are answered together count together.
      const keptCount = crowd.counts.answered - crowd.counts.told
      assert(isSmall || (keptCount >= 1_300 && keptCount <= 1_500), JSON.stringify(crowd.counts))
      leave(crowd)
    })
  }

  const skip = tooFew && 'too few descriptors for so many places'
  it(`${IDLE_COUNT} that never say a word keep no payment waiting`, { skip }, async t => {
    const crowd = await gather(pipeline.port, IDLE_COUNT, true)
    await assertNobodyWaits(pipeline.port, t)
    assert.equal(crowd.counts.ended, 0)
    leave(crowd)
  })

  it("the contest's users stay connected with the places of a container, and some more", async () => {
    const crowd = await gather(await startSmall(), CONTEST_COUNT)
    for (let round = 2; round <= 4; round++) {
      for (const socket of crowd.sockets) socket.write(QUESTION)
      await eventually('all have their answers', () => crowd.counts.answered === round * CONTEST_COUNT)
    }
    assert.deepEqual(crowd.counts, { answered: 4 * CONTEST_COUNT, told: 0, ended: 0 })
    leave(crowd)
  })

  it('the live page connects also when no other connection is kept', async () => {
    const port = await startBalancer({ KEEP_ALIVE_MAX: '0' })
    const { headers } = await sendRaw(port, QUESTION)
    assert.equal(headers.connection, 'close')
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ=='
    }
    const asked = request({ port, path: '/dashboard/live', headers: upgrade }).end()
    const [response, socket] = (await once(asked, 'upgrade')) as [{ headers: Record<string, string> }, Socket]
    own(socket, open => open.destroy())
    assert.equal(response.headers.connection?.toLowerCase(), 'upgrade')
    await once(socket, 'data')
  })

  for (const descriptors of ['4096', '1024']) {
    it(`HAProxy starts with ${descriptors} descriptors and takes payments`, async () => {
      // Root may have more than its limit, unless that right is taken away.
      const asAnybody = process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-sys_resource'] : []
      const port = await startBalancer({}, [], ['prlimit', `--nofile=${descriptors}:${descriptors}`, ...asAnybody])
      await pay(port, 20)
    })
  }
})
