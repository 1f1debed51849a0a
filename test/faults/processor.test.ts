// Goal: no answer of a processor, and no lack of one, makes a payment go to both processors or to none.
// Method: the real pipeline against processors that break their answers on order; afterwards the books are compared.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { eventually, PATIENCE_MS, STUCK_AFTER_MS } from '../support/eventually.ts'
import { ownerOf } from '../support/owner.ts'
import { createRandom } from '../support/random.ts'
import { startFaultStack } from './harness.ts'
import { assertSettlesAndAddsUp } from './invariants.ts'
import { createTraffic } from './traffic.ts'

const random = createRandom(1, 'ids')

describe('payments whose outcome is not known', { timeout: STUCK_AFTER_MS }, () => {
  it('stay with their processor, however long it fails afterwards, while new ones go to the other', async t => {
    const own = ownerOf(t)
    const environment = { worker: { FALLBACK_AFTER_MS: '0' }, processor: { FRONT: 'on' } }
    const fault = await startFaultStack(own, { monitors: 0, environment })
    const { stack, admins, redis, keys } = fault
    const traffic = createTraffic(own, stack.url, 1)
    const queued = () => redis.xlen(keys.queue)

    const pinned = new Set<string>()
    const defaultIsUsed = async () => {
      const { bookings } = await admins.default.state()
      await traffic.burst(1, 1)
      await eventually('it is settled', PATIENCE_MS, async () => (await queued()) === 0)
      return (await admins.default.state()).bookings > bookings
    }
    const breaks = [
      ['reset', false],
      ['cut', true],
      ['garbage', false],
      ['reset', true],
      ['silent', false]
    ] as const
    for (const [kind, insert] of breaks) {
      // One at a time, or the breaker would keep the rest away from the fault.
      for (let index = 0; index < 3; index++) {
        await eventually('the breaker of default is closed', PATIENCE_MS, defaultIsUsed)
        const id = random.uuid()
        pinned.add(id)
        await admins.default.setFaults([{ kind, insert, next: 1 }])
        await admins.default.setHolding(true)
        await traffic.pay(id, 100 + index)
        await admins.default.until(({ running }) => running === 1)
        // The worker is paused until default refuses everything, so that no second attempt gets through.
        stack.part('worker-1').kill('SIGSTOP')
        await admins.default.setHolding(false)
        await eventually(
          'the fault has happened',
          PATIENCE_MS,
          async () => (await admins.default.faultsFired())[0] === 1
        )
        await admins.default.setFailing(true)
        stack.part('worker-1').kill('SIGCONT')
        await traffic.burst(5, 5)
        await eventually('the new ones are settled', PATIENCE_MS, async () => (await queued()) <= 1)
        await admins.default.setFailing(false)
        await eventually('all are settled', PATIENCE_MS, async () => (await queued()) === 0)
      }
    }
    const bookings = await assertSettlesAndAddsUp(fault, traffic)
    for (const { id, processor } of bookings) if (pinned.has(id)) assert.equal(processor, 'default')
    assert(
      bookings.some(({ processor }) => processor === 'fallback'),
      'the failing processor had an alternative'
    )
  })

  it('are booked once when a processor answers later than anybody waits, and when it turns requests away', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, {
      monitors: 0,
      environment: {
        worker: { PROCESSOR_TIMEOUT_MS: '200', FALLBACK_AFTER_MS: '100' },
        processor: { RUNNING_MAX: '20', QUEUED_MAX: '10' }
      }
    })
    const traffic = createTraffic(own, fault.stack.url, 2)
    const { admins } = fault
    await admins.default.setDelay(700)
    await admins.fallback.setDelay(900)
    await traffic.burst(150, 50)
    await admins.default.until(({ answered }) => (answered[429] ?? 0) > 0 && (answered[422] ?? 0) > 0)
    await admins.default.setDelay(0)
    await admins.fallback.setDelay(0)
    await assertSettlesAndAddsUp(fault, traffic)
  })

  it('are found again when both processors are killed with payments in hand and come back', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, { monitors: 0 })
    const traffic = createTraffic(own, fault.stack.url, 3)
    const { admins, redis, keys, stack } = fault
    await admins.default.setDelay(300)
    traffic.start(300)
    for (let round = 0; round < 2; round++) {
      await admins.default.until(({ running }) => running > 20)
      await Promise.all([fault.kill('processor-default'), fault.kill('processor-fallback')])
      await eventually('payments wait', PATIENCE_MS, async () => (await redis.xlen(keys.queue)) > 50)
      await Promise.all([stack.part('processor-default').start(), stack.part('processor-fallback').start()])
      await admins.default.setDelay(300)
    }
    await traffic.stop()
    assert.deepEqual(traffic.errors, {}, 'clients notice nothing')
    await assertSettlesAndAddsUp(fault, traffic)
  })

  it('wait for a minute while both processors are away, then all are paid', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own)
    const traffic = createTraffic(own, fault.stack.url, 4)
    const { admins, redis, keys, stack } = fault
    await admins.default.setDelay(300)
    traffic.start(100)
    await admins.default.until(({ running }) => running > 10)
    await Promise.all([fault.kill('processor-default'), fault.kill('processor-fallback')])
    const awaySinceMs = performance.now()
    // Clients go on paying all the time.
    await eventually(
      'a minute is over, and thousands wait',
      5 * PATIENCE_MS,
      async () => performance.now() - awaySinceMs > 60_000 && (await redis.xlen(keys.queue)) > 3_000
    )
    await Promise.all([stack.part('processor-default').start(), stack.part('processor-fallback').start()])
    await traffic.stop()
    assert.deepEqual(traffic.errors, {}, 'clients notice nothing')
    await assertSettlesAndAddsUp(fault, traffic)
  })
})

describe('a payment that a processor refuses for good', { timeout: STUCK_AFTER_MS }, () => {
  it('goes to the other one, in whatever state that is', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, {
      monitors: 0,
      environment: { worker: { PROCESSOR_TIMEOUT_MS: '60000' } }
    })
    const traffic = createTraffic(own, fault.stack.url, 5)
    const { admins, redis, keys, stack } = fault
    await admins.default.setFaults([{ kind: 'status', status: 415, next: 3 }])
    await admins.fallback.setFailing(true)
    await traffic.burst(20, 10)
    await eventually('all others are settled', PATIENCE_MS, async () => (await redis.xlen(keys.queue)) === 3)
    const records = await redis.hvals(keys.inFlight)
    assert(records.length === 3 && records.every(record => /^fallback \S+ \S+ #\d+ last$/.test(record)), records.join())
    // A restart gives them back, and default would take them now.
    await stack.part('worker-1').stop()
    assert.deepEqual(await redis.hvals(keys.inFlight), [])
    await admins.default.setFaults([{ kind: 'status', status: 400, next: 3 }])
    await stack.part('worker-1').start()
    await eventually(
      'they are at fallback again',
      PATIENCE_MS,
      async () => (await redis.hvals(keys.inFlight)).length === 3
    )
    await admins.fallback.setFailing(false)
    const bookings = await assertSettlesAndAddsUp(fault, traffic)
    assert.deepEqual(bookings.map(({ processor }) => processor).sort(), [
      ...Array<string>(17).fill('default'),
      ...Array<string>(3).fill('fallback')
    ])
  })

  it('goes to the dead letters once the other one has refused it as well, is logged, and takes nothing else with it', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, {
      monitors: 0,
      environment: { worker: { PROCESSOR_TIMEOUT_MS: '60000' } }
    })
    const traffic = createTraffic(own, fault.stack.url, 4)
    const { admins, redis, keys, stack } = fault
    for (const admin of Object.values(admins)) await admin.setFaults([{ kind: 'status', status: 400, next: 2 }])
    await traffic.burst(40, 10)
    const bookings = await assertSettlesAndAddsUp(fault, traffic, 2)
    assert.equal(bookings.length, 38)
    const letters = await redis.xrange(keys.deadLetters, '-', '+')
    assert.equal(letters.length, 2)
    await stack.part('worker-1').stop()
    const log = readFileSync(stack.part('worker-1').logPath, 'utf8')
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as { msg: string; level: number; count: number })
    const lines = log.filter(({ msg }) => msg === 'dead letter')
    assert(lines.every(({ level }) => level === 50))
    assert.equal(
      lines.reduce((sum, { count }) => sum + count, 0),
      2
    )
    for (const [, fields] of letters) {
      assert.match(fields[9] ?? '', /^default refused it for good, then fallback: status 400$/)
      const status = (await (await fetch(`${stack.url}/payments/${fields[1] ?? ''}`)).json()) as { status: string }
      assert.equal(status.status, 'dead-letter')
    }
  })
})

describe(
  "a processor that refuses everything with a 4xx that is not the payments' fault",
  { timeout: STUCK_AFTER_MS },
  () => {
    it('fails: nothing becomes a dead letter, all goes to the other one, and one line says so', async t => {
      const own = ownerOf(t)
      const fault = await startFaultStack(own, { monitors: 0 })
      const traffic = createTraffic(own, fault.stack.url, 6)
      const { admins, redis, keys, stack } = fault
      for (const status of [404, 401]) {
        await admins.default.setFaults([{ kind: 'status', status, probability: 1 }])
        await traffic.burst(100, 20)
        const verdict = async () => {
          const { processors } = (await (await fetch(`${stack.url}/status`)).json()) as {
            processors: { default: { verdict: string } }
          }
          return processors.default.verdict
        }
        await eventually('the status says that default fails', PATIENCE_MS, async () => (await verdict()) === 'fails')
        await assertSettlesAndAddsUp(fault, traffic)
        await admins.default.setFaults()
        await eventually('default is used again', PATIENCE_MS, async () => {
          await traffic.burst(1, 1)
          return (await verdict()) === 'works'
        })
      }
      assert.equal(await redis.xlen(keys.deadLetters), 0)
      const bookings = await assertSettlesAndAddsUp(fault, traffic)
      assert(bookings.filter(({ processor }) => processor === 'fallback').length > 100)
      const log = readFileSync(stack.part('worker-1').logPath, 'utf8').trimEnd().split('\n')
      assert(log.length < 30, `${log.length} lines for ${bookings.length} payments`)
      assert(log.some(line => line.includes('breaker opened') && line.includes('"lastTrouble":"status 404"')))
    })
  }
)
