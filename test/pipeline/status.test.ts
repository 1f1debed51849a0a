// Goal: GET /status tells the same of the whole system whichever gateway answers, names each fault in words while it
// lasts and is silent about it afterwards; and each fault leaves a line in the logs with the figures to act on.
// Method: the real pipeline, faults made for real, by signals and by the processors' models.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { Client } from 'undici'
import type { StatusBody as Told } from '../../gateway/watching/status/render.ts'
import { eventually, STUCK_AFTER_MS } from '../support/eventually.ts'
import { startGateway } from '../support/gateway.ts'
import { newPayment, newPayments } from '../support/payments.ts'
import { startTestPipeline } from '../support/pipeline.ts'
import type { LogLine } from '../support/service.ts'

const pipeline = await startTestPipeline({ environment: { gateway: { REDIS_TIMEOUT_MS: '500' } } })
const { stack, redis, keys, admins } = pipeline

async function status(): Promise<Told> {
  const { status: code, body } = await pipeline.get('/status')
  assert.equal(code, 200, body)
  return JSON.parse(body) as Told
}

function clientOf(socketPath: string): Client {
  const client = new Client('http://gateway', { socketPath })
  after(() => client.destroy())
  return client
}

async function ask(client: Client, path: string, method: 'GET' | 'POST' | 'HEAD' = 'GET') {
  const { statusCode, headers, body } = await client.request({ method, path })
  return { code: statusCode, headers, text: await body.text() }
}

/** Returns once the status has a sentence for each pattern. */
async function untilTold(...patterns: RegExp[]): Promise<void> {
  await eventually(`told of ${patterns.join(' and ')}`, async () => {
    const { problems } = await status()
    for (const pattern of patterns) assert.match(problems.join('\n'), new RegExp(pattern, 'm'))
    return true
  })
}

async function untilWell(): Promise<void> {
  await eventually('nothing is wrong', async () => {
    const { problems, isCurrent } = await status()
    assert.deepEqual({ problems, isCurrent }, { problems: [], isCurrent: true })
    return true
  })
}

async function payMany(count: number): Promise<void> {
  await Promise.all(newPayments(count).map(pipeline.pay))
}

describe('GET /status', { timeout: STUCK_AFTER_MS }, () => {
  const folder = dirname(stack.redisPath)
  const gateways = [1, 2].map(n => clientOf(join(folder, `gateway-${n}.sock`)))

  it('tells the whole system, whichever gateway answers', async () => {
    await untilWell()
    await payMany(30)
    await pipeline.pay(newPayment(19_990))
    const duplicate = newPayment()
    for (let times = 0; times < 4; times++) await pipeline.pay(duplicate)
    await pipeline.untilSettled()
    const { default: books } = await pipeline.summary()

    const both = await eventually('both gateways know all of it', async () => {
      const told = await Promise.all(
        gateways.map(async client => JSON.parse((await ask(client, '/status')).text) as Told)
      )
      for (const { problems, accepting, processors } of told)
        assert.deepEqual([problems, accepting.answers.accepted, processors.default.answers.booked], [[], 32, 32])
      return told
    })
    assert.deepEqual(
      both.map(({ answeredBy }) => answeredBy),
      ['gateway-1', 'gateway-2']
    )
    const amount = books.cents / 100
    const fees = (share: number) => Math.round(books.cents * share) / 100
    for (const { isCurrent, isPolled, accepting, processors, money, queue, redis, preferred, ...told } of both) {
      const alive = [...told.gateways, ...told.workers, ...told.monitors].filter(({ isAlive }) => isAlive)
      assert.deepEqual(
        {
          isCurrent,
          isPolled,
          queue,
          answers: accepting.answers,
          settled: [processors.default.settled, processors.fallback.settled],
          money: [money.settled, money.allOnFallback.fees],
          breakers: processors.default.breakers.map(({ worker, state }) => ({ worker, state })),
          health: [processors.default.successRate, processors.default.health?.failing, preferred.processor],
          alive: alive.map(({ label }) => label)
        },
        {
          isCurrent: true,
          isPolled: true,
          queue: {
            unsettled: 0,
            waiting: 0,
            inFlight: 0,
            oldestSeconds: null,
            oldestWaitingSeconds: null,
            deadLetters: 0
          },
          answers: { accepted: 32, duplicate: 3, conflict: 0, invalid: 0, refused: 0 },
          settled: [
            { payments: books.requests, amount, fees: fees(0.05) },
            { payments: 0, amount: 0, fees: 0 }
          ],
          money: [amount, fees(0.15)],
          breakers: [{ worker: 'worker-1', state: 'CLOSED' }],
          health: [1, false, 'default'],
          alive: ['gateway-1', 'gateway-2', 'worker-1', 'monitor-1']
        }
      )
      const { p50Ms, p99Ms, count } = accepting.latency
      assert(count === 35 && p50Ms !== null && p99Ms !== null && p50Ms > 0 && p50Ms <= p99Ms, `${p50Ms} ${p99Ms}`)
      assert(redis.usedBytes > 500_000)
    }
  })

  it('is JSON that nobody keeps, for GET alone', async () => {
    const [client] = gateways as [Client]
    const { headers } = await ask(client, '/status')
    assert.deepEqual([headers['content-type'], headers['cache-control']], ['application/json', 'no-store'])
    for (const method of ['POST', 'HEAD'] as const) assert.equal((await ask(client, '/status', method)).code, 405)
  })

  it('is closed where clients connect if STATUS=closed, and told at the internal address', async () => {
    const internalPath = join(folder, 'metrics.sock')
    const gateway = await startGateway(`unix:${stack.redisPath}`, {
      METRICS_LISTEN: `unix:${internalPath}`,
      STATUS: 'closed',
      NAME: 'closed'
    })
    for (const path of ['/status', '/metrics']) assert.equal((await gateway.request('GET', path)).status, 404)
    assert.equal((JSON.parse((await ask(clientOf(internalPath), '/status')).text) as Told).answeredBy, 'closed')
    gateway.kill('SIGTERM')
    await gateway.exited
    // Who leaves on purpose is not missed.
    const reporters = await redis.hkeys(keys.reports)
    assert(!reporters.some(name => name.startsWith('closed')), reporters.join())
  })

  it('says that default fails, then that both do, and what waits', async () => {
    await admins.default.setFailing(true)
    await payMany(5)
    await untilTold(
      /^The default processor fails: its breaker is (OPEN|HALF_OPEN) at worker-1 \(since \d\d:\d\d:\d\d UTC, .*wait for it/
    )
    await admins.fallback.setFailing(true)
    await payMany(5)
    await untilTold(
      /^Both processors fail: payments are accepted and wait\./,
      /^\d+ payments wait in the queue, the oldest for /
    )
    const { queue, processors } = await status()
    assert(queue.waiting > 0 && (queue.oldestWaitingSeconds ?? 0) > 1, JSON.stringify(queue))
    assert((processors.default.successRate ?? 0) < 1)
    for (const admin of Object.values(admins)) await admin.setFailing(false)
    await pipeline.untilSettled()
    await untilWell()
  })

  it('says who is dead, that nobody polls, and that a dead letter waits', async () => {
    for (const admin of Object.values(admins)) await admin.setFaults([{ kind: 'status', status: 400, next: 1 }])
    await pipeline.pay(newPayment())
    await pipeline.untilSettled()
    await admins.default.setHolding(true)
    await payMany(7)
    await admins.default.until(({ running }) => running === 7)
    const dead = ['worker-1', 'monitor-1', 'gateway-2'].map(name => stack.part(name))
    for (const part of dead) part.kill('SIGKILL')
    await Promise.all(dead.map(part => part.exited))
    await untilTold(
      /^1 dead letter waits:/,
      /^No worker is running: payments are accepted and wait/,
      /^worker-1 has shown no sign of life for .* 7 payments it has will be taken over/,
      /^A payment that was accepted \d+ s ago is still in flight: its outcome is unknown/,
      /^Nobody polls the health of the processors/,
      /^monitor-1 has shown no sign of life/,
      /^gateway-2 has shown no sign of life/
    )
    for (const part of dead) await part.start()
    await admins.default.setHolding(false)
    await pipeline.untilSettled()
    await redis.del(keys.deadLetters)
    await untilWell()
  })

  it('says that Redis is full, and who refuses', async () => {
    await redis.config('SET', 'maxmemory', '1mb')
    assert.equal((await pipeline.pay(newPayment())).status, 503)
    await untilTold(
      /^Redis is full, \d+\.\d MB of 1\.0 MB: new payments get 503/,
      /^gateway-[12] has refused payments with 503 since .*: The queue is out of memory\.$/
    )
    await redis.config('SET', 'maxmemory', '0')
    // Through both gateways, which balance by turns.
    for (let times = 0; times < 4; times++) await pipeline.pay(newPayment())
    await untilWell()
  })

  it('says that Redis is not set up to keep what it is given', async () => {
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
    await redis.config('SET', 'appendonly', 'no')
    await untilTold(
      /^Redis keeps no append-only log: /,
      /^Redis may forget payments when it is full: its maxmemory-policy is allkeys-lru\./
    )
    await redis.config('SET', 'maxmemory-policy', 'noeviction')
    await redis.config('SET', 'appendonly', 'yes')
    await untilWell()
  })

  it('says that Redis does not answer, although no gateway is healthy, with the last figures', async () => {
    const part = stack.part('redis')
    const before = await status()
    part.kill('SIGSTOP')
    await untilTold(/^Redis has not answered \(.*\) for .*, since \d\d:\d\d:\d\d UTC: new payments get 503/)
    await eventually('HAProxy has noticed', async () => (await pipeline.get('/health')).status === 503)
    const { isCurrent, problems, money } = await status()
    assert.deepEqual([isCurrent, problems.length, money.settled], [false, 1, before.money.settled])
    part.kill('SIGCONT')
    await untilWell()

    part.kill('SIGKILL')
    await part.exited
    await untilTold(/^Redis has not answered/)
    await part.start()
    const isAccepted = async () => (await pipeline.pay(newPayment())).status === 202
    await eventually('payments are accepted again', isAccepted)
    await pipeline.untilSettled()
    await untilWell()
  })

  it('each fault left a line in the logs, with the figures to act on', () => {
    const worker = logOf('worker-1')
    const gateway = [...logOf('gateway-1'), ...logOf('gateway-2')]
    const monitor = logOf('monitor-1')
    const lane = { processor: 'string', inFlight: 'number', waiting: 'number' }
    assertLogged(worker, 'breaker opened', { ...lane, lastTrouble: 'string' })
    assertLogged(worker, 'breaker closed', { ...lane, afterMs: 'number' })
    assertLogged(worker, 'dead letter', { entryId: 'string', processor: 'string', reason: 'string' })
    const takeover = assertLogged(worker, 'took over from a dead worker', { deadWorker: 'string', reclaimed: 'number' })
    assert.equal(takeover.reclaimed, 7)
    assertLogged(worker, 'preferred processor changed', { preferred: 'string' })
    assertLogged(monitor, 'preferred processor changed', { preferred: 'string', default: 'object', fallback: 'object' })
    assertLogged(gateway, 'refusing payments', { reason: 'string' })
    assertLogged(gateway, 'accepting payments again', { refused: 'number', afterMs: 'number' })
    for (const lines of [worker, gateway, monitor]) {
      assertLogged(lines, 'Redis lost', { connection: 'string', reason: 'string' })
      assertLogged(lines, 'Redis back', { connection: 'string', afterMs: 'number' })
    }
  })
})

function logOf(part: string): LogLine[] {
  const lines = readFileSync(stack.part(part).logPath, 'utf8').trimEnd().split('\n')
  return lines.map(line => JSON.parse(line) as LogLine)
}

function assertLogged(lines: readonly LogLine[], msg: string, fields: Record<string, string>): LogLine {
  const found = lines.filter(line => line.msg === msg)
  const match = found.find(line => Object.entries(fields).every(([name, type]) => typeof line[name] === type))
  assert(match !== undefined, `"${msg}" with ${Object.keys(fields).join(', ')}: ${JSON.stringify(found)}`)
  return match
}
