// Goal: of several monitors one polls, no processor is ever asked twice within 5 s, and what is known reaches Redis and
// the workers at once, whatever the processors answer.
// Method: real monitors and a real Redis each; the processors are small servers of this test that note every arrival. A
// poll takes 5 s by the contract, so the tests run side by side.
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { createKeys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import { PROCESSOR_NAMES } from '../../shared/payment.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { eventually, PATIENCE_MS, STUCK_AFTER_MS } from '../support/eventually.ts'
import { whileFrozen } from '../support/frozen-redis.ts'
import { says, startHealthServer, type HealthServer } from '../support/health-server.ts'
import { required } from '../support/payments.ts'
import { startTestRedis } from '../support/redis.ts'
import { startService, type ServiceProcess } from '../support/service.ts'

const keys = createKeys()
// As long as in production: a monitor that a busy machine holds up for a second must not lose its lease, nor a poll its
// answer.
const LEASE_MS = 3_000
const POLL_TIMEOUT_MS = 4_000
/** What a busy machine may add to a time that is measured. */
const BUSY_MS = 10_000
/** Late enough for others to act before the answer, early enough for it to count. */
const ANSWER_LATE_MS = 1_000
/** What a processor allows. */
const WINDOW_MS = 5_000
/** Each poll but the first: the period, a poll that hangs, and as much again for a busy machine. */
const NEXT_POLL_MS = 20_000

type Answer = Parameters<HealthServer['answer']>[0]
type World = {
  redis: Redis
  processors: { default: HealthServer; fallback: HealthServer }
  /** Everything that was told to the workers, in order. */
  told: string[]
  startMonitor: () => ServiceProcess
  /** Returns once both processors were asked so many times. */
  untilPolled: (count: number) => Promise<void>
  preferred: () => Promise<string | null>
  untilPreferred: (name: string, timeoutMs?: number) => Promise<unknown>
}

async function startWorld(environment: Record<string, string> = {}): Promise<World> {
  const { redis, url } = await startTestRedis()
  const processors = { default: await startHealthServer(), fallback: await startHealthServer() }
  const told: string[] = []
  const preferred = () => redis.get(keys.preferredProcessor)
  const subscriber = await connectRedis(url, 'subscriber', null, createLog('test', 'silent'))
  after(() => subscriber.disconnect())
  subscriber.on('message', (_channel, text) => told.push(text))
  await subscriber.subscribe(keys.preferredProcessor)
  return {
    redis,
    processors,
    told,
    startMonitor: () =>
      startService('health-monitor', {
        REDIS_URL: url,
        DEFAULT_PROCESSOR_URL: processors.default.url,
        FALLBACK_PROCESSOR_URL: processors.fallback.url,
        POLL_TIMEOUT_MS: String(POLL_TIMEOUT_MS),
        ...environment
      }),
    async untilPolled(count) {
      const isPolled = () => PROCESSOR_NAMES.every(name => processors[name].arrivalsMs.length >= count)
      await eventually(`${count} polls`, isPolled, PATIENCE_MS + count * NEXT_POLL_MS)
    },
    preferred,
    untilPreferred: (name, timeoutMs = PATIENCE_MS) =>
      eventually(`${name} is preferred`, async () => (await preferred()) === name, timeoutMs)
  }
}

/** The contract with the processors, over everything that arrived. */
function assertNeverTooEarly({ processors }: World): void {
  for (const name of PROCESSOR_NAMES) {
    const { arrivalsMs } = processors[name]
    arrivalsMs.slice(1).forEach((arrivalMs, index) => {
      const gapMs = arrivalMs - required(arrivalsMs[index])
      assert(gapMs >= WINDOW_MS, `${name} was asked after ${gapMs.toFixed(0)} ms`)
    })
  }
}

const late =
  (answer: Answer): Answer =>
  response =>
    setTimeout(answer, ANSWER_LATE_MS, response)
const troublesOf = (monitor: ServiceProcess) => monitor.log().filter(({ msg }) => msg === 'health poll in trouble')
const isActive = (monitor: ServiceProcess) => monitor.log().some(({ msg }) => msg.startsWith('active'))

describe('health monitor', { concurrency: 16, timeout: STUCK_AFTER_MS }, () => {
  it('one of two polls; after its SIGKILL the other takes over, tells nothing untrue, and asks nobody too early', async () => {
    const world = await startWorld()
    // Default says that it fails only after a while: until then a newcomer knows nothing of it.
    world.processors.default.answer(late(says.health(true)))
    const monitors = [world.startMonitor(), world.startMonitor()]
    await Promise.all(monitors.map(monitor => monitor.untilLogged('ready')))
    await world.untilPolled(2)
    await world.untilPreferred('fallback')
    const [active, ...others] = monitors.filter(isActive)
    assert.deepEqual(others, [])
    const first = required(active)
    const second = required(monitors.find(monitor => monitor !== first))

    const toldBefore = world.told.length
    const killedAtMs = performance.now()
    first.kill('SIGKILL')
    await second.untilLogged('active: polling the processors')
    const takeoverMs = performance.now() - killedAtMs
    assert(takeoverMs < (LEASE_MS * 4) / 3 + BUSY_MS, `${takeoverMs.toFixed(0)} ms`)
    // A third one starts in the middle of the period.
    const third = world.startMonitor()
    await world.untilPolled(4)
    assertNeverTooEarly(world)
    assert.equal(isActive(third), false)
    assert.deepEqual(new Set(world.told.slice(toldBefore)), new Set(['fallback']), world.told.join())
    assert.equal(await world.preferred(), 'fallback')
  })

  it('restarts in quick order never ask a processor twice within 5 s', async () => {
    const world = await startWorld()
    // The first one ends in the middle of its poll.
    for (const name of PROCESSOR_NAMES) world.processors[name].answer(late(says.health(false)))
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL', 'SIGTERM'] as const) {
      const monitor = world.startMonitor()
      await monitor.untilLogged('active: polling the processors')
      await world.untilPolled(1)
      monitor.kill(signal)
      await monitor.exited
    }
    world.startMonitor()
    await world.untilPolled(3)
    assertNeverTooEarly(world)
  })

  it('publishes default, fallback and none with the facts behind them and an expiry, and tells the workers at once', async () => {
    // Long enough for everything that is checked after a poll to be checked before the next one.
    const PERIOD_MS = 7_000
    const EXPIRES_MS = PERIOD_MS + POLL_TIMEOUT_MS + 5_000
    const world = await startWorld({ POLL_EVERY_MS: String(PERIOD_MS) })
    const steps = [
      { default: { failing: false, delayMs: 20 }, fallback: { failing: true, delayMs: 3_000 }, preferred: 'default' },
      { default: { failing: true, delayMs: 2_000 }, fallback: { failing: false, delayMs: 5 }, preferred: 'fallback' },
      { default: { failing: true, delayMs: 0 }, fallback: { failing: true, delayMs: 1_000 }, preferred: 'none' },
      { default: { failing: false, delayMs: 4_000 }, fallback: { failing: false, delayMs: 0 }, preferred: 'default' }
    ]
    const answer = (index: number) => {
      for (const name of PROCESSOR_NAMES) {
        const { failing, delayMs } = required(steps[index])[name]
        world.processors[name].answer(says.health(failing, delayMs))
      }
    }
    answer(0)
    const startedAt = Date.now()
    const monitor = world.startMonitor()
    for (const [index, step] of steps.entries()) {
      await world.untilPolled(index + 1)
      if (index + 1 < steps.length) answer(index + 1)
      for (const name of PROCESSOR_NAMES) {
        const known = await eventually(
          `${name} is published`,
          async () => {
            const hash = await world.redis.hgetall(keys.health(name))
            const { failing, delayMs } = step[name]
            return hash.failing === String(failing) && hash.minResponseTimeMs === String(delayMs) && hash
          },
          PERIOD_MS
        )
        const checkedAtMs = Date.parse(required(known.checkedAt))
        assert(checkedAtMs >= startedAt && checkedAtMs <= Date.now())
      }
      await world.untilPreferred(step.preferred, PERIOD_MS)
      await eventually('the workers are told', () => world.told.at(-1) === step.preferred, PERIOD_MS)
    }
    assertNeverTooEarly(world)

    // With nobody left who publishes, all of it is forgotten.
    monitor.kill('SIGKILL')
    const published = [keys.preferredProcessor, keys.health('default'), keys.health('fallback')]
    assert.equal(await world.redis.exists(...published), 3)
    const publishedCount = () => world.redis.exists(...published, keys.healthMonitor)
    await eventually('nothing is published', async () => (await publishedCount()) === 0, EXPIRES_MS + BUSY_MS)
  })

  const troubles = Object.entries<Answer>({
    hangs: says.nothing,
    'answers bytes that are no HTTP': says.garbage,
    'hangs in the middle': says.half,
    'hangs up': says.hangUp,
    'answers 500': says.status(500),
    'answers no JSON': says.text('all is well'),
    'answers null': says.text('null'),
    'answers other types': says.text('{"failing":"false","minResponseTime":"0"}'),
    'answers a delay below 0': says.health(false, -1),
    'answers a megabyte': says.text(' '.repeat(1_000_000))
  })
  // Two at a time, one at each processor.
  while (troubles.length > 0) {
    const [[what, answer], [otherWhat, otherAnswer]] = [required(troubles.shift()), required(troubles.shift())]
    it(`a processor that ${what}, and one that ${otherWhat}, count as failing and are logged once`, async () => {
      const world = await startWorld()
      world.processors.default.answer(answer)
      world.processors.fallback.answer(otherAnswer)
      const monitor = world.startMonitor()
      await world.untilPolled(3)
      assert.equal(await world.preferred(), 'none')
      for (const name of PROCESSOR_NAMES) assert.equal(await world.redis.hget(keys.health(name), 'failing'), 'true')
      const logged = troublesOf(monitor).map(({ processor }) => processor)
      assert.deepEqual(logged.sort(), ['default', 'fallback'], monitor.output.stdout)
      assertNeverTooEarly(world)

      if (what !== 'hangs') return
      world.processors.default.answer(says.health(false))
      await monitor.untilLogged('health poll works again')
      await world.untilPreferred('default')
    })
  }

  it('429 tells nothing: what was known stays until it expires, and it is logged once', async () => {
    const world = await startWorld()
    world.processors.default.answer(says.health(true, 7))
    const monitor = world.startMonitor()
    await world.untilPreferred('fallback')
    world.processors.default.answer(says.status(429))
    await world.untilPolled(3)
    await monitor.untilLogged('health poll in trouble')
    assert.deepEqual(await world.redis.hmget(keys.health('default'), 'failing', 'minResponseTimeMs'), ['true', '7'])
    assert.equal(await world.preferred(), 'fallback')
    assert.equal(troublesOf(monitor).length, 1)
    assertNeverTooEarly(world)
  })

  it('a monitor outlives its Redis, and polls again when that is back', async () => {
    const world = await startWorld()
    const monitor = world.startMonitor()
    await world.untilPolled(1)
    await whileFrozen(world.redis, () => monitor.untilLogged('Redis lost'))
    await monitor.untilLogged('Redis back')
    await world.untilPolled(2)
    assertNeverTooEarly(world)
  })
})
