// Goal: compose/docker-compose.yml is what it says: closed containers inside of 1.5 CPU and 350 MB that come back by
// themselves, lose nothing when one of them dies under load or when Redis is full, and earn what the contest pays for.
// Method: a real engine with enforced limits. Containers are killed by SIGKILL of their first process from outside,
// which is a crash; `docker kill` is an operator's stop, after which Docker does not restart a container whatever its
// policy says.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTraffic } from '../faults/traffic.ts'
import { added, differences, readBackend, readProcessors, requestsIn, type Books } from '../support/books.ts'
import { ensureK6 } from '../support/contest/find-k6.ts'
import { isFine, runOnce } from '../support/contest/run.ts'
import { say } from '../support/command.ts'
import { ensureBaseImages } from '../support/engine/base-images.ts'
import { deploy, type Deployment } from '../support/engine/deployment.ts'
import { openEngine, type Engine } from '../support/engine/engine.ts'
import { eventually } from '../support/eventually.ts'
import { createOwner, ownerOf } from '../support/owner.ts'
import { ProcessorAdmin } from '../support/processor/admin-client.ts'
import { watch } from './watch.ts'

const SERVICES = ['gateway-1', 'gateway-2', 'haproxy', 'health-monitor', 'processor-worker', 'redis']
const DRAINED_WITHIN_MS = 300_000
const noSignal = new AbortController().signal

let engine: Engine
let deployment: Deployment
const whole = createOwner()

before(async () => {
  engine = whole.own(await openEngine(), opened => opened.close())
  say(engine.description)
  await ensureBaseImages(engine)
  deployment = whole.own(await deploy(engine, { PURGE: 'open' }), deployed => deployed.down())
})
after(() => whole.release())

async function readBooks(): Promise<{ ours: Books; theirs: Books }> {
  const [theirs, ours] = await Promise.all([
    readProcessors(deployment.processorUrls, '123'),
    readBackend(deployment.url)
  ])
  return { ours, theirs }
}

/** Both books agree, and `accepted` to `sent` payments were added to them. */
async function untilSettled(before: Books, accepted: number, sent: number): Promise<number> {
  const last = await eventually(
    `${accepted} payments are settled`,
    async () => {
      await sleep(250)
      const books = await readBooks()
      return (
        requestsIn(added(books.theirs, before)) >= accepted &&
        differences(books.theirs, books.ours).length === 0 &&
        books
      )
    },
    DRAINED_WITHIN_MS
  )
  const settled = requestsIn(added(last.theirs, before))
  assert(settled <= sent, `${settled} settled, ${sent} sent`)
  return settled
}

async function isBookedOnce(id: string): Promise<boolean> {
  const found = await Promise.all(
    Object.values(deployment.processorUrls).map(async url => (await fetch(`${url}/payments/${id}`)).status === 200)
  )
  return found.filter(Boolean).length === 1
}

test('the limits sum to 1.5 CPU and 350 MB, and the engine enforces them', async () => {
  assert.deepEqual([...deployment.services].sort(), SERVICES)
  const containers = await Promise.all(SERVICES.map(deployment.container))
  const cpus = containers.reduce((sum, { limits }) => sum + limits.cpus, 0)
  const bytes = containers.reduce((sum, { limits }) => sum + limits.memoryBytes, 0)
  assert(containers.every(({ limits }) => limits.cpus > 0 && limits.memoryBytes > 0))
  assert(Math.round(cpus * 1_000) <= 1_500, `${cpus} CPU`)
  assert(bytes <= 350 * 2 ** 20, `${bytes / 2 ** 20} MB`)
})

test('each container is closed: not root, read-only, no capability, no new privilege, no network of the host', async () => {
  for (const service of SERVICES) {
    const { id, health } = await deployment.container(service)
    const format =
      '{{json .Config.User}} {{.HostConfig.ReadonlyRootfs}} {{json .HostConfig.CapDrop}} {{json .HostConfig.SecurityOpt}}' +
      ' {{.HostConfig.Privileged}} {{.HostConfig.NetworkMode}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.Init}}'
    const words = (await engine.docker(['inspect', '--format', format, id])).trim().split(' ')
    const [user, readOnly, dropped, security, privileged, network, restart, init] = words
    assert.match(user ?? '', /^"[1-9]\d*:[1-9]\d*"$/, service)
    assert.deepEqual(
      [readOnly, dropped, privileged, restart, init, health],
      ['true', '["ALL"]', 'false', 'always', 'true', 'healthy'],
      service
    )
    assert.match(security ?? '', /no-new-privileges/, service)
    assert.notEqual(network, 'host', service)
    // As the kernel sees it, whatever was configured.
    const status = await engine.docker(['exec', id, 'cat', '/proc/1/status'])
    assert.match(status, /^CapEff:\t0+$/m, service)
    assert.match(status, /^NoNewPrivs:\t1$/m, service)
  }
})

test("the image has one platform's binary of uWebSockets.js, and of ours no source, test or development package", async () => {
  const { id } = await deployment.container('gateway-1')
  const list = async (...words: string[]) => (await engine.docker(['exec', id, ...words])).trim().split('\n')
  assert.equal((await list('find', '/app/node_modules/uWebSockets.js/', '-name', '*.node')).length, 1)
  assert.deepEqual(await list('find', '/app', '-name', '*.ts', '-not', '-path', '*/node_modules/*'), [''])
  assert.deepEqual(await list('find', '/app/node_modules', '-maxdepth', '1', '-name', 'typescript'), [''])
})

describe('a container that dies under load comes back by itself, and nothing that was accepted is lost', () => {
  for (const service of SERVICES) {
    test(service, async t => {
      const { theirs: before } = await readBooks()
      const traffic = createTraffic(ownerOf(t), deployment.url, SERVICES.indexOf(service))
      traffic.start(100)
      await eventually('payments are accepted', () => traffic.accepted.size > 50, 30_000)
      const { pid, restarts } = await deployment.container(service)
      const killedAtMs = performance.now()
      process.kill(pid, 'SIGKILL')
      await eventually(
        `${service} runs again`,
        async () => (await deployment.container(service)).restarts === restarts + 1,
        60_000
      )
      const backMs = await traffic.acceptedAgain(killedAtMs)
      await deployment.untilHealthy()
      await traffic.stop()

      assert.deepEqual(traffic.violations, [])
      const settled = await untilSettled(before, traffic.accepted.size, traffic.sent.size)
      t.diagnostic(
        `${traffic.accepted.size} accepted, ${settled} settled, accepting again ${backMs.toFixed(0)} ms after the kill, ` +
          `refused: ${JSON.stringify(traffic.errors)}`
      )
      for (const id of traffic.accepted) assert(await isBookedOnce(id), id)
      // The gateways' clients notice nothing: HAProxy asks the other one.
      if (service.startsWith('gateway')) assert.deepEqual(traffic.errors, {})
    })
  }
})

test('clients that send half a request and no more take no memory from the others, and are sent away', async t => {
  const { hostname: host, port } = new URL(deployment.url)
  const endWatch = await watch(deployment)
  // More than HAProxy takes at a time.
  const sockets = Array.from({ length: 1_500 }, () =>
    ownerOf(t)(connect({ host, port: Number(port) }), socket => socket.destroy())
  )
  let closedCount = 0
  for (const socket of sockets) {
    socket
      .on('error', () => undefined)
      .on('close', () => {
        closedCount += 1
      })
      .resume()
    socket.write('POST /payments HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n')
    socket.write('x'.repeat(1_000))
  }
  await eventually('HAProxy has closed them', () => closedCount === sockets.length, 60_000)
  await readBackend(deployment.url)
  for (const { service, oomKills, restarts } of (await endWatch?.()) ?? []) {
    assert.equal(oomKills, 0, service)
    if (service === 'haproxy') assert(restarts <= 1, 'only the test before has killed it')
  }
})

test('a full Redis refuses with 503, is not killed for memory, and all that was accepted is settled', async t => {
  const admins = Object.values(deployment.processorUrls).map(url => new ProcessorAdmin(url))
  const { theirs: before } = await readBooks()
  const first = await deployment.container('redis')
  for (const admin of admins) await admin.setFailing(true)
  const endWatch = await watch(deployment)
  const traffic = createTraffic(ownerOf(t), deployment.url, 99)
  const refused = () =>
    Object.entries(traffic.errors)
      .filter(([name]) => name.startsWith('503'))
      .reduce((sum, [, count]) => sum + count, 0)
  const startedAtMs = performance.now()
  while (refused() === 0) {
    await traffic.burst(20_000, 100)
    assert(traffic.accepted.size < 2_000_000, 'Redis never gets full')
  }
  const fillSeconds = (performance.now() - startedAtMs) / 1_000
  const accepted = traffic.accepted.size
  t.diagnostic(
    `${accepted} payments fit, ${(accepted / fillSeconds).toFixed(0)} accepted a second; then: ${JSON.stringify(traffic.errors)}`
  )

  for (const admin of admins) await admin.setFailing(false)
  const drainedAtMs = performance.now()
  const settled = await untilSettled(before, accepted, traffic.sent.size)
  t.diagnostic(`${settled} settled in ${((performance.now() - drainedAtMs) / 1_000).toFixed(0)} s`)
  for (const { service, oomKills, restarts, memoryPeakBytes, limits } of (await endWatch?.()) ?? []) {
    t.diagnostic(
      `${service}: at most ${(memoryPeakBytes / 2 ** 20).toFixed(1)} MB of ${(limits.memoryBytes / 2 ** 20).toFixed(0)}`
    )
    assert.equal(oomKills, 0, service)
    if (service === 'redis') assert.equal(restarts, first.restarts)
  }
})

test('a short contest earns all that is possible', async t => {
  const k6 = await ensureK6(noSignal)
  const schedulePath = resolve(import.meta.dirname, '../k6/schedules/short.json')
  const target = { backendUrl: deployment.url, processorUrls: deployment.processorUrls, token: '123' }
  const run = await runOnce(k6, { schedulePath, drainMaxMs: 30_000 }, target, noSignal)
  const { asked, profit, idealProfit, lag, p99Ms } = run.result
  t.diagnostic(`${asked} payments, profit ${profit} of ${idealProfit}, ${lag} left over, p99 ${p99Ms ?? NaN} ms`)
  assert(isFine(run))
  assert(profit >= 0.95 * idealProfit)
})

test('with compose/monitoring each container tells its metrics through HAProxy, inside of the same limits, and nowhere else', async t => {
  const watched = ownerOf(t)(await deploy(engine, {}, undefined, 'monitoring/docker-compose.yml'), deployed =>
    deployed.down()
  )
  assert.deepEqual([...watched.services].sort(), SERVICES)
  const { id } = await watched.container('haproxy')
  // From within, since no port of it is published.
  const ask = (path: string) =>
    engine.docker([
      'exec',
      id,
      'bash',
      '-c',
      `exec 3<>/dev/tcp/127.0.0.1/9101 && printf 'GET ${path} HTTP/1.1\\r\\nHost: haproxy\\r\\nConnection: close\\r\\n\\r\\n' >&3 && cat <&3`
    ])
  const targets = readFileSync(resolve(import.meta.dirname, '../../compose/monitoring/targets-compose.yml'), 'utf8')
  const paths = ['/metrics', ...[...targets.matchAll(/__metrics_path__: ([^\s}]+)/g)].map(([, path = '']) => path)]
  assert.equal(paths.length, 5)

  const restartsOf = () =>
    Promise.all(SERVICES.map(async service => `${service} ${(await watched.container(service)).restarts}`))
  const restartsBefore = await restartsOf()
  const endWatch = await watch(watched)
  const traffic = createTraffic(ownerOf(t), watched.url, 7)
  traffic.start(100)
  await eventually('payments are accepted', () => traffic.accepted.size > 500, 30_000)
  for (let times = 0; times < 10; times++) {
    for (const path of paths)
      assert.match(await ask(path), /^HTTP\/1\.1 200 [^]*\n(haproxy_process|process_resident_memory)_\w+/, path)
  }
  await traffic.stop()
  assert.match(await ask('/metrics/gateway-1'), /^payment_redis_up 1$/m)
  // Nothing where clients connect.
  for (const path of paths) assert.equal((await fetch(`${watched.url}${path}`)).status, 404, path)
  for (const { service, oomKills, memoryPeakBytes, limits } of (await endWatch?.()) ?? []) {
    t.diagnostic(
      `${service}: at most ${(memoryPeakBytes / 2 ** 20).toFixed(1)} MB of ${(limits.memoryBytes / 2 ** 20).toFixed(0)}`
    )
    assert.equal(oomKills, 0, service)
  }
  assert.deepEqual(await restartsOf(), restartsBefore, await watched.logs())
})

describe('npm run contest:compose', () => {
  const script = join(import.meta.dirname, 'run-contest.ts')

  test('says how it is used, and what is wrong with its arguments', () => {
    assert.match(execFileSync(process.execPath, [script, '--help'], { encoding: 'utf8' }), /--runs N/)
    assert.throws(() => execFileSync(process.execPath, [script, '--runs', '0'], { stdio: 'pipe' }), { status: 2 })
  })

  test('takes everything down after Ctrl-C', async t => {
    const names = async () => (await engine.docker(['ps', '--all', '--format', '{{.Names}}'])).trim().split('\n').sort()
    const before = await names()
    const run = spawn(process.execPath, [script], {
      env: { ...process.env, ...engine.environment },
      stdio: ['ignore', 'ignore', 'pipe']
    })
    t.after(() => run.kill('SIGKILL'))
    const ended = once(run, 'exit')
    run.stderr.resume()
    await eventually(
      'its containers are there',
      async () => (await names()).length >= before.length + SERVICES.length,
      120_000
    )
    run.kill('SIGINT')
    assert.deepEqual(await ended, [130, null])
    assert.deepEqual(await names(), before)
  })
})
