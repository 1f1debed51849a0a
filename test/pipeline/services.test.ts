// Goal: each service explains itself, refuses a wrong environment before it does anything, ends as its orchestrator
// expects, and writes logs that a machine can read and that hold no payment.
// Method: each service as a process of its own, on a real Redis and the processors' models, ended by signals in the
// middle of work that is held up by a frozen Redis or a slow processor.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, it, test } from 'node:test'
import { GATEWAY_VARIABLES } from '../../gateway/variables.ts'
import { MONITOR_VARIABLES } from '../../health-monitor/variables.ts'
import { WORKER_VARIABLES } from '../../processor-worker/variables.ts'
import type { Variable } from '../../shared/environment.ts'
import { createKeys } from '../../shared/keys.ts'
import { SERVICE_VARIABLES } from '../../shared/variables.ts'
import { createFunctions } from '../../shared/redis/functions.ts'
import { eventually } from '../support/eventually.ts'
import { whileFrozen } from '../support/frozen-redis.ts'
import { startGateway } from '../support/gateway.ts'
import { newPayment, newPayments } from '../support/payments.ts'
import { startTestPipeline, type Reply } from '../support/pipeline.ts'
import { startProcessor } from '../support/processor/start.ts'
import { startTestRedis } from '../support/redis.ts'
import { startService, type ServiceProcess } from '../support/service.ts'

const SERVICES = [
  { name: 'gateway', variables: GATEWAY_VARIABLES },
  { name: 'processor-worker', variables: WORKER_VARIABLES },
  { name: 'health-monitor', variables: MONITOR_VARIABLES }
] as const

const { redis, url: REDIS_URL } = await startTestRedis()
const keys = createKeys()
const functions = createFunctions(redis, keys, 24)
const processor = await startProcessor({ after })
const PROCESSORS = { DEFAULT_PROCESSOR_URL: processor.url, FALLBACK_PROCESSOR_URL: processor.url }

// ---- start ---------------------------------------------------------------------------------------

for (const { name, variables } of SERVICES) {
  describe(name, { concurrency: 4 }, () => {
    const all = Object.values<Variable<unknown>>({ ...variables, ...SERVICE_VARIABLES })

    it('--help prints every variable and starts nothing', async () => {
      const service = startService(name, { REDIS_URL: 'not even this' }, ['--help'])
      assert.deepEqual(await service.exited, { code: 0, signal: null })
      for (const variable of all) assert(service.output.stdout.includes(`  ${variable.name}\n`), variable.name)
      assert.match(service.output.stdout, new RegExp(`^${name}: \\w`))
      assert.equal(service.output.stderr, '')
    })

    it('a wrong environment names every bad variable, and exits with 2', async () => {
      // No variable takes this; those that are free texts without spaces refuse the space.
      const service = startService(name, Object.fromEntries(all.map(variable => [variable.name, 'not this'])))
      assert.deepEqual(await service.exited, { code: 2, signal: null })
      for (const variable of all) {
        assert(service.output.stderr.includes(variable.name), `${variable.name} is not named`)
        assert(service.output.stderr.includes(variable.wants), `what ${variable.name} wants is not said`)
      }
      assert.equal(service.output.stdout, '')
    })

    it('names a setting that was removed, and waits for Redis until a signal ends it', async () => {
      const retired = { HEARTBEAT_MS: '100' }
      const service = startService(name, { REDIS_URL: 'unix:/nowhere/redis.sock', ...PROCESSORS, ...retired })
      await service.untilLogged('HEARTBEAT_MS is not a setting any more; in its place: a quarter of DEAD_AFTER_MS')
      await service.untilLogged('Redis lost')
      service.kill('SIGTERM')
      assert.deepEqual(await service.exited, { code: 0, signal: null })
    })
  })
}

for (const [name, variable, value, secret] of [
  ...SERVICES.map(({ name }) => [name, 'REDIS_URL', 'redis:/user:hunter2secret@host', 'hunter2secret'] as const),
  ['gateway', 'PURGE_TOKEN', 'hush hush hush', 'hush'] as const
])
  test(`${name}: a wrong ${variable} is named, but what is secret of it is not shown`, async () => {
    const service = startService(name, { [variable]: value })
    assert.equal((await service.exited).code, 2)
    assert(service.output.stderr.includes(variable) && !service.output.stderr.includes(secret), service.output.stderr)
  })

test('settings that contradict each other end each service with 2, which names all of them and what is wanted', async () => {
  const environment = {
    REDIS_URL: 'unix:/nowhere/redis.sock',
    ...PROCESSORS,
    LISTEN: 'unix:/nowhere/same.sock',
    METRICS_LISTEN: 'unix:/nowhere/same.sock',
    DEFAULT_FEE: '0.3',
    DRAIN_MS: 'soon'
  }
  const named = {
    gateway: [
      /LISTEN="unix:\/nowhere\/same.sock", METRICS_LISTEN=.*another address than LISTEN/,
      /DEFAULT_FEE="0.3", FALLBACK_FEE="0.15".*DEFAULT_FEE not above FALLBACK_FEE/
    ],
    'processor-worker': [],
    'health-monitor': []
  }
  for (const { name } of SERVICES) {
    const service = startService(name, environment)
    assert.deepEqual(await service.exited, { code: 2, signal: null })
    for (const words of [...named[name], /DRAIN_MS="soon" is not usable/]) assert.match(service.output.stderr, words)
    assert.equal(service.output.stdout, '')
  }
})

// ---- end -----------------------------------------------------------------------------------------

/** What a stop waits for here ends when the test says so, and not before because a machine is slow. */
const NO_HURRY = { DRAIN_MS: '60000' }

/** A gateway that is asked over two connections. */
async function startOneGateway(environment: Record<string, string> = {}) {
  const gateway = await startGateway(REDIS_URL, { ...NO_HURRY, ...environment }, 2)
  const ask = () => gateway.request('GET', '/health')
  return {
    ...gateway,
    /** Sends a payment, and returns once the gateway has read it. */
    async send(): Promise<{ reply: Promise<Reply> }> {
      // Connected, what is sent is written at once; and sockets are served in the order in which something arrived.
      await Promise.all([ask(), ask()])
      const reply = gateway.pay(newPayment())
      reply.catch(() => undefined)
      await ask()
      return { reply }
    }
  }
}

async function start(
  name: 'processor-worker' | 'health-monitor',
  untilLogged: string,
  environment: Record<string, string> = {}
): Promise<ServiceProcess> {
  const service = startService(name, { REDIS_URL, ...PROCESSORS, ...NO_HURRY, ...environment })
  await service.untilLogged(untilLogged)
  return service
}
const startWorker = (environment?: Record<string, string>) => start('processor-worker', 'ready', environment)
const startMonitor = (environment?: Record<string, string>) =>
  start('health-monitor', 'active: polling the processors', environment)

/** A worker that default keeps waiting with so many payments; nothing else is in Redis. */
async function startBusyWorker(count: number, environment?: Record<string, string>): Promise<ServiceProcess> {
  await redis.flushall()
  await functions.createGroup()
  const worker = await startWorker(environment)
  await processor.admin.setHolding(true)
  await functions.accept(newPayments(count), 1_000)
  await processor.admin.until(({ running }) => running === count)
  return worker
}

async function assertStopped(service: ServiceProcess): Promise<void> {
  assert.deepEqual(await service.exited, { code: 0, signal: null }, service.output.stdout)
  assert.equal(service.log().at(-1)?.msg, 'stopped', service.output.stdout)
  assert.equal(service.output.stderr, '')
}

/** How long an exit takes at most that waits for nothing; what it could wait for takes a minute. */
const AT_ONCE_MS = 15_000

async function assertEndsAtOnce(service: ServiceProcess): Promise<void> {
  const startedAtMs = performance.now()
  service.kill('SIGTERM')
  assert.deepEqual(await service.exited, { code: 1, signal: null })
  const tookMs = performance.now() - startedAtMs
  assert(tookMs < AT_ONCE_MS, `${tookMs.toFixed(0)} ms`)
}

describe('SIGTERM and SIGINT', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`${signal} ends each idle service with 0`, async () => {
      const services = await Promise.all([startOneGateway(), startWorker(), startMonitor()])
      for (const service of services) service.kill(signal)
      await Promise.all(services.map(assertStopped))
    })
  }

  it('a gateway answers what it has accepted first', async () => {
    const gateway = await startOneGateway({ REDIS_TIMEOUT_MS: '60000' })
    const { reply } = await whileFrozen(redis, async () => {
      const sent = await gateway.send()
      gateway.kill('SIGTERM')
      await gateway.untilLogged('stopping')
      return sent
    })
    assert.equal((await reply).status, 202)
    await assertStopped(gateway)
  })

  it('a worker settles what it has sent first, and takes nothing more', async () => {
    const worker = await startBusyWorker(30)
    worker.kill('SIGTERM')
    await worker.untilLogged('stopping')
    await functions.accept(newPayments(5), 1_000)
    await processor.admin.setHolding(false)
    await assertStopped(worker)
    assert.equal((await functions.sumOfAll()).default.requests, 30n)
    assert.deepEqual([await redis.xlen(keys.queue), await redis.hlen(keys.inFlight)], [5, 0])
    // Nobody has to find out that it is gone.
    assert.equal(await redis.zcard(keys.workers), 0)
  })

  it('a worker leaves after DRAIN_MS in any case, and what it had is on record', async () => {
    const worker = await startBusyWorker(3, { DRAIN_MS: '200' })
    worker.kill('SIGTERM')
    assert.deepEqual(await worker.exited, { code: 0, signal: null })
    assert.equal(worker.log().at(-1)?.msg, 'left before all work in hand was finished')
    assert.equal(await redis.hlen(keys.inFlight), 3)
    await processor.admin.setHolding(false)

    // A successor finds them.
    const successor = await startWorker({ DEAD_AFTER_MS: '300' })
    await eventually('all are settled', async () => (await redis.xlen(keys.queue)) === 0)
    assert.equal((await functions.sumOfAll()).default.requests, 3n)
    successor.kill('SIGTERM')
    await assertStopped(successor)
  })

  it('a monitor gives its lease back', async () => {
    const monitor = await startMonitor()
    assert.equal(await redis.exists(keys.healthMonitor), 1)
    monitor.kill('SIGTERM')
    await assertStopped(monitor)
    assert.equal(await redis.exists(keys.healthMonitor), 0)
  })

  it('a second signal ends each service at once, whatever it waits for', async t => {
    t.after(() => processor.admin.setHolding(false))
    const worker = await startBusyWorker(1, { PROCESSOR_TIMEOUT_MS: '60000' })
    const [gateway, monitor] = await Promise.all([startOneGateway({ REDIS_TIMEOUT_MS: '60000' }), startMonitor()])
    await whileFrozen(redis, async () => {
      // A monitor waits for Redis for two seconds only, so its two signals come together.
      monitor.kill('SIGINT')
      await assertEndsAtOnce(monitor)
      await gateway.send()
      for (const service of [gateway, worker]) service.kill('SIGTERM')
      for (const service of [gateway, worker]) await service.untilLogged('stopping')
      for (const service of [gateway, worker]) await assertEndsAtOnce(service)
    })
  })
})

// ---- logs ----------------------------------------------------------------------------------------

test('logs are JSON lines, few, without ids, amounts and bodies, in good and bad times', async () => {
  const pipeline = await startTestPipeline({
    environment: { worker: { FALLBACK_AFTER_MS: '100' }, gateway: { REDIS_TIMEOUT_MS: '300' } }
  })
  const AMOUNT_CENTS = 76_543_219
  const payments = newPayments(600, AMOUNT_CENTS)
  const send = async (from: number, to: number) => {
    await Promise.all(payments.slice(from, to).map(pipeline.pay))
  }
  const { stack, redis, admins } = pipeline
  const both = Object.values(admins)
  const textOf = (part: string) => readFileSync(stack.part(part).logPath, 'utf8')

  await send(0, 200)
  const headers = { 'content-type': 'application/json' }
  const bad = { method: 'POST', headers, body: '{"correlationId":"the-body-of-a-bad-request"' }
  await Promise.all(Array.from({ length: 20 }, () => fetch(`${stack.url}/payments`, bad)))
  await send(0, 50)
  await admins.default.setFailing(true)
  await send(200, 300)
  await pipeline.untilSettled()
  await admins.default.setFailing(false)
  await admins.default.setFaults([
    { kind: 'status', status: 404, next: 2 },
    { kind: 'status', status: 400, next: 2 },
    { kind: 'reset', insert: true, next: 5 },
    { kind: 'garbage', insert: false, next: 5 }
  ])
  await send(300, 400)
  await pipeline.untilSettled()
  // An error of Redis in the middle of settling: the client library hangs the whole command on it.
  for (const admin of both) await admin.setHolding(true)
  await send(400, 500)
  await eventually('payments are in flight', async () => {
    const states = await Promise.all(both.map(admin => admin.state()))
    return states.some(({ running }) => running > 20)
  })
  await redis.config('SET', 'min-replicas-to-write', '1')
  await send(500, 510)
  for (const admin of both) await admin.setHolding(false)
  const hasNoticed = () => textOf('worker-1').includes('Redis calls fail')
  await eventually('the worker has noticed', hasNoticed)
  await redis.config('SET', 'min-replicas-to-write', '0')
  // And one that is gone in the middle of everything.
  void send(510, 600)
  stack.part('redis').kill('SIGKILL')
  await stack.part('redis').exited
  await stack.part('redis').start()
  await eventually('it works again', async () => (await pipeline.pay(newPayment())).status === 202)
  await pipeline.untilSettled()

  for (const part of ['gateway-1', 'gateway-2', 'worker-1', 'monitor-1']) {
    await stack.part(part).stop()
    const text = textOf(part)
    const lines = text.trimEnd().split('\n')
    assert(lines.length >= 2 && lines.length < 80, `${part} wrote ${lines.length} lines`)
    for (const line of lines) {
      const { level, time, service, pid, msg } = JSON.parse(line) as Record<string, unknown>
      const types = [level, pid, service, msg].map(value => typeof value)
      assert.deepEqual(types, ['number', 'number', 'string', 'string'], line)
      assert(typeof time === 'string' && time === new Date(time).toISOString(), line)
    }
    for (const { correlationId } of payments) {
      assert(!text.includes(correlationId), `${part} logged an id`)
      // As Redis has it: without dashes and without its last digits.
      assert(!text.includes(correlationId.replaceAll('-', '').slice(0, 20)), `${part} logged the digits of an id`)
    }
    for (const secret of [String(AMOUNT_CENTS), '765432.19', 'correlationId\\"', 'the-body-of']) {
      assert(!text.includes(secret), `${part} logged ${secret}: ${lines.find(line => line.includes(secret))}`)
    }
  }
})
