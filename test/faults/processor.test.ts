// Goal: no answer of a processor, and no lack of one, makes a payment go to both processors or to none.
// Method: the real pipeline against processors that break their answers on order; afterwards the books are compared.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { eventually, PATIENCE_MS, STUCK_AFTER_MS } from '../support/eventually.ts'
import { createRandom } from '../support/random.ts'
import { addUp } from './books.ts'
import { startScene } from './scene.ts'

const random = createRandom(1, 'ids')

describe('payments whose outcome is not known', { timeout: STUCK_AFTER_MS }, () => {
  it('stay with their processor, however long it fails afterwards, while new ones go to the other', async t => {
    const environment = { worker: { FALLBACK_AFTER_MS: '0' }, processor: { FRONT: 'on' } }
    const { stack, admins, redis, keys, traffic, untilSettled, assertAddsUp } = await startScene(t, { environment })
    const atDefault = admins.default
    const defaultIsUsed = async () => {
      const { bookings } = await atDefault.state()
      await traffic.burst(1, 1)
      await untilSettled()
      return (await atDefault.state()).bookings > bookings
    }
    const refusedCount = async () => (await atDefault.state()).answered[500] ?? 0
    const pinned = new Set<string>()
    // One at a time, or the breaker would keep the rest away from the fault.
    for (const kind of ['reset', 'garbage', 'cut', 'silent'] as const) {
      for (const insert of [false, true, false, true]) {
        await eventually('the breaker of default is closed', defaultIsUsed)
        const id = random.uuid()
        pinned.add(id)
        await atDefault.setFaults([{ kind, insert, next: 1 }])
        await atDefault.setHolding(true)
        await traffic.pay(id, 100)
        await atDefault.until(({ running }) => running === 1)
        // The worker is paused until default refuses everything, so that no second attempt gets through.
        stack.part('worker-1').kill('SIGSTOP')
        await atDefault.setHolding(false)
        await eventually('the fault has happened', async () => (await atDefault.faultsFired())[0] === 1)
        const refusedBefore = await refusedCount()
        await atDefault.setFailing(true)
        stack.part('worker-1').kill('SIGCONT')
        // If it is there, asking is enough. If not, an attempt that is refused shows that the worker has noticed.
        if (!insert) await eventually('it is sent again', async () => (await refusedCount()) > refusedBefore)
        await traffic.burst(5, 5)
        // The one in question would have gone first, had it been let go.
        await eventually('the new ones are settled', async () => (await redis.xlen(keys.queue)) <= 1)
        await atDefault.setFailing(false)
        await untilSettled()
      }
    }
    const bookings = await assertAddsUp()
    for (const { id, processor } of bookings) if (pinned.has(id)) assert.equal(processor, 'default')
    assert(addUp(bookings).fallback.requests > 0, 'the failing processor had an alternative')
  })

  it('are booked once when a processor answers later than anybody waits, and when it turns requests away', async t => {
    const environment = {
      worker: { PROCESSOR_TIMEOUT_MS: '200', FALLBACK_AFTER_MS: '100' },
      processor: { RUNNING_MAX: '20', QUEUED_MAX: '10' }
    }
    const { admins, traffic, assertAddsUp } = await startScene(t, { environment })
    await admins.default.setDelay(700)
    await admins.fallback.setDelay(900)
    await traffic.burst(150, 50)
    await admins.default.until(({ answered }) => (answered[429] ?? 0) > 0 && (answered[422] ?? 0) > 0)
    await admins.default.setDelay(0)
    await admins.fallback.setDelay(0)
    await assertAddsUp()
  })

  it('wait while both processors are away, once for a minute, then all are paid, those in hand as well', async t => {
    const { admins, redis, keys, stack, kill, traffic, assertAddsUp } = await startScene(t, { monitors: 1 })
    const both = ['processor-default', 'processor-fallback']
    // Clients go on paying all the time.
    traffic.start(100)
    for (const [awayMs, waitingMin] of [
      [0, 50],
      [60_000, 3_000]
    ] as const) {
      await admins.default.setDelay(300)
      await admins.default.until(({ running }) => running > 10)
      await Promise.all(both.map(kill))
      const awaySinceMs = performance.now()
      await eventually(`${waitingMin} wait`, async () => (await redis.xlen(keys.queue)) > waitingMin, 5 * PATIENCE_MS)
      await eventually(`${awayMs} ms are over`, () => performance.now() - awaySinceMs > awayMs, 2 * PATIENCE_MS)
      await Promise.all(both.map(name => stack.part(name).start()))
    }
    await traffic.stop()
    assert.deepEqual(traffic.errors, {}, 'clients notice nothing')
    await assertAddsUp()
  })
})

describe('a payment that a processor refuses for good', { timeout: STUCK_AFTER_MS }, () => {
  const environment = { worker: { PROCESSOR_TIMEOUT_MS: '60000' } }
  it('goes to the other one, in whatever state that is', async t => {
    const { admins, redis, keys, stack, traffic, assertAddsUp } = await startScene(t, { environment })
    await admins.default.setFaults([{ kind: 'status', status: 415, next: 3 }])
    await admins.fallback.setFailing(true)
    await traffic.burst(20, 10)
    await eventually('all others are settled', async () => (await redis.xlen(keys.queue)) === 3)
    const records = await redis.hvals(keys.inFlight)
    assert(records.length === 3 && records.every(record => /^fallback \S+ \S+ #\d+ last$/.test(record)), records.join())
    // A restart gives them back, and default would take them now.
    await stack.part('worker-1').stop()
    assert.deepEqual(await redis.hvals(keys.inFlight), [])
    await admins.default.setFaults([{ kind: 'status', status: 400, next: 3 }])
    await stack.part('worker-1').start()
    await eventually('they are sent again', async () => (await redis.hlen(keys.inFlight)) === 3)
    await admins.fallback.setFailing(false)
    const { default: atDefault, fallback } = addUp(await assertAddsUp())
    assert.deepEqual([atDefault.requests, fallback.requests], [17, 3])
  })

  it('goes to the dead letters once the other one has refused it as well, is logged, and takes nothing else with it', async t => {
    const { admins, redis, keys, stack, traffic, logOf, assertAddsUp } = await startScene(t, { environment })
    for (const admin of Object.values(admins)) await admin.setFaults([{ kind: 'status', status: 400, next: 2 }])
    await traffic.burst(40, 10)
    assert.equal((await assertAddsUp(2)).length, 38)
    const letters = await redis.xrange(keys.deadLetters, '-', '+')
    assert.equal(letters.length, 2)
    await stack.part('worker-1').stop()
    const lines = logOf('worker-1').filter(({ msg }) => msg === 'dead letter')
    assert(lines.every(({ level }) => level === 50))
    const loggedCount = lines.reduce((sum, { count }) => sum + Number(count), 0)
    assert.equal(loggedCount, 2)
    for (const [, [, correlationId = '', , cents, ...more]] of letters) {
      assert.equal(more[5], 'default refused it for good, then fallback: status 400')
      const told: unknown = await (await fetch(`${stack.url}/payments/${correlationId}`)).json()
      assert.deepEqual(told, { correlationId, amount: Number(cents) / 100, status: 'dead-letter' })
    }
  })
})

describe(
  "a processor that refuses everything with a 4xx that is not the payments' fault",
  { timeout: STUCK_AFTER_MS },
  () => {
    it('fails: nothing becomes a dead letter, all goes to the other one, and one line says so', async t => {
      const { admins, traffic, status, logOf, assertAddsUp } = await startScene(t)
      const verdict = async () => (await status()).processors.default.verdict
      for (const status of [404, 401]) {
        await admins.default.setFaults([{ kind: 'status', status, probability: 1 }])
        await traffic.burst(100, 20)
        await eventually('the status says that default fails', async () => (await verdict()) === 'fails')
        await assertAddsUp()
        await admins.default.setFaults()
        await eventually('default is used again', async () => {
          await traffic.burst(1, 1)
          return (await verdict()) === 'works'
        })
      }
      const bookings = await assertAddsUp()
      assert(addUp(bookings).fallback.requests > 100)
      const log = logOf('worker-1')
      assert(log.length < 30, `${log.length} lines for ${bookings.length} payments`)
      assert(log.some(({ msg, lastTrouble }) => msg === 'breaker opened' && lastTrouble === 'status 404'))
    })
  }
)
