// Goal: whatever happens to a worker between taking a payment and settling it, the payment is booked at one processor
// and counted once, with the time that is stored there.
// Method: the real pipeline. A relay in front of Redis holds back or loses single commands, and the processors hold or
// swallow answers, so that each worker is killed or paused at exactly the point that hurts most.
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { eventually, STUCK_AFTER_MS } from '../support/eventually.ts'
import { startScene, type Scene } from './scene.ts'

const NO_TIMEOUT = { worker: { PROCESSOR_TIMEOUT_MS: '60000' } }
const BREAKS = ['lose-reply', 'cut-reply', 'lose-request', 'cut-request'] as const

describe("a worker killed between the processor's insert and its own settle", { timeout: STUCK_AFTER_MS }, () => {
  it('leaves payments that its successor finds booked, and counts once', async t => {
    const { traffic, proxies, kill, stack, admins, assertAddsUp } = await startScene(t, { environment: NO_TIMEOUT })
    const settle = proxies.worker.hold('settle_')
    // The first settle that is held stops the worker, so all must be on their way before.
    await admins.default.setHolding(true)
    await traffic.burst(50, 50)
    await admins.default.until(({ running }) => running === 50)
    await admins.default.setHolding(false)
    await admins.default.until(({ bookings }) => bookings === 50)
    await settle.caught
    await kill('worker-1')
    // What is held goes with its connection.
    proxies.worker.cutAll()
    settle.release()

    // Whoever sends now, instead of asking, is sent to the other processor.
    await admins.default.setFailing(true)
    await stack.part('worker-1').start()
    const bookings = await assertAddsUp()
    assert.equal(bookings.length, 50)
    assert.deepEqual((await admins.default.state()).answered, { 200: 50 }, 'each was sent once')
    assert.deepEqual((await admins.fallback.state()).answered, {}, 'none was sent to the other processor')
  })

  it('leaves payments whose answers never came, and counts those that were booked and books those that were not', async t => {
    const { traffic, kill, stack, admins, assertAddsUp } = await startScene(t, { environment: NO_TIMEOUT })
    await admins.default.setFaults([
      { kind: 'silent', insert: true, probability: 0.5 },
      { kind: 'silent', insert: false, probability: 1 }
    ])
    await traffic.burst(50, 10)
    const { bookings: bookedBefore } = await admins.default.until(({ answered }) => answered.silent === 50)
    await kill('worker-1')
    await admins.default.setFaults()
    await stack.part('worker-1').start()
    const bookings = await assertAddsUp()
    assert(bookings.every(({ processor }) => processor === 'default'))
    const { answered } = await admins.default.state()
    assert.deepEqual(answered, { 200: 50 - bookedBefore, silent: 50 }, 'only what was not there is sent again')
  })
})

describe('a worker that is paused until another has taken its payments over', { timeout: STUCK_AFTER_MS }, () => {
  /**
   * Worker 1 has sent 40 payments and is paused before their answers come, which default holds; there is no worker 2.
   */
  async function pauseWithAnswersUnderWay(test: Parameters<typeof startScene>[0]) {
    const scene = await startScene(test, { workers: 2, environment: NO_TIMEOUT })
    const { traffic, kill, stack, admins } = scene
    await kill('worker-2')
    await admins.default.setHolding(true)
    await traffic.burst(40, 40)
    await admins.default.until(({ running }) => running === 40)
    stack.part('worker-1').kill('SIGSTOP')
    return scene
  }

  /** Lets worker 1 go on until it has sent the command that its stale answers lead to, and a heartbeat after it. */
  async function wake({ proxies, stack, redis, keys }: Scene, command: string) {
    const stale = proxies.worker.hold(`${command}_`)
    stack.part('worker-1').kill('SIGCONT')
    await stale.caught
    stale.release()
    const releasedAtMs = Date.now()
    await eventually('worker 1 has beaten since', async () => {
      const beatsSince = await redis.zrangebyscore(keys.workers, releasedAtMs + 100, '+inf')
      return beatsSince.some(name => name.startsWith('worker-1-'))
    })
  }

  it('does no harm with the bookings that it learns of when it wakes up', async t => {
    const scene = await pauseWithAnswersUnderWay(t)
    const { stack, admins, untilSettled, assertAddsUp } = scene
    await admins.default.setHolding(false)
    await admins.default.until(({ bookings }) => bookings === 40)
    await stack.part('worker-2').start()
    await untilSettled()
    await wake(scene, 'settle')
    assert.equal((await assertAddsUp()).length, 40)
  })

  it('frees nothing with the refusals that it learns of when it wakes up', async t => {
    const scene = await pauseWithAnswersUnderWay(t)
    const { stack, redis, keys, admins, assertAddsUp } = scene
    await admins.default.setFailing(true)
    await admins.default.setHolding(false)
    await admins.default.until(({ answered }) => answered[500] === 40)
    await stack.part('worker-2').start()
    await eventually('worker 2 has taken all over', async () => {
      const records = await redis.hvals(keys.inFlight)
      return records.length === 40 && records.every(record => record.endsWith(' unresolved'))
    })
    await wake(scene, 'release')
    assert.equal(await redis.hlen(keys.inFlight), 40)
    await admins.default.setFailing(false)
    const bookings = await assertAddsUp()
    assert.deepEqual(new Set(bookings.map(({ processor }) => processor)), new Set(['default']))
  })
})

describe('a worker whose connection to Redis breaks', { timeout: STUCK_AFTER_MS }, async () => {
  const { traffic, proxies, kill, stack, logOf, assertAddsUp } = await startScene({ after })

  it('recovers what it took when the reply to a take is lost', async () => {
    const recoveryCount = () =>
      logOf('worker-1').filter(
        ({ msg, reclaimed, freed }) => msg.startsWith('took over own payments') && reclaimed === 30 && freed === 0
      ).length
    const recoveriesBefore = recoveryCount()
    for (const broken of BREAKS) {
      await kill('worker-1')
      const happened = proxies.worker.next('take_', broken)
      // Queued before there is a worker, so that its first take has them all.
      await traffic.burst(30, 10)
      await stack.part('worker-1').start()
      await happened
      await assertAddsUp()
    }
    assert.equal(recoveryCount() - recoveriesBefore, 2, 'once for each reply that was lost')
  })

  it('counts once when a settle, or its reply, is lost', async () => {
    for (const broken of BREAKS) {
      const happened = proxies.worker.next('settle_', broken)
      await traffic.burst(30, 10)
      await happened
      await assertAddsUp()
    }
  })

  it('pays once when a release, or its reply, is lost', async t => {
    const environment = { worker: { FALLBACK_AFTER_MS: '0' } }
    const { traffic, proxies, admins, assertAddsUp } = await startScene(t, { environment })
    for (const broken of BREAKS) {
      await admins.default.setFailing(true)
      let isBroken = false
      void proxies.worker.next('release_', broken).then(() => {
        isBroken = true
      })
      // Until default gets one to refuse: its breaker lets one through every now and then.
      await eventually('a release is broken', async () => {
        await traffic.burst(30, 10)
        return isBroken
      })
      await admins.default.setFailing(false)
      await assertAddsUp()
    }
  })

  it('goes on, and starts, when its connections are lost again the moment they are there', async () => {
    const part = stack.part('worker-1')
    const afterCut = proxies.worker.next('subscribe', 'lose-request')
    proxies.worker.cutAll()
    await afterCut
    await traffic.burst(20, 10)
    await assertAddsUp()

    await part.stop()
    const atStart = ['FUNCTION', 'xgroup', 'subscribe', 'get'].map(command =>
      proxies.worker.next(command, 'lose-request')
    )
    await part.start()
    await Promise.all(atStart)
    await traffic.burst(20, 10)
    await assertAddsUp()
  })

  it('goes on when its connection says nothing any more', async () => {
    const happened = proxies.worker.next('settle_', 'go-silent')
    await traffic.burst(30, 10)
    await happened
    await assertAddsUp()
  })
})
