// Goal: payments go to default while it works, to fallback once they have waited long enough, and nowhere twice, whatever
// the processors do; and a processor in trouble is not stormed.
// Method: the pipeline behind HAProxy with the models as processors. Their own counts of attempts and bookings are what is
// compared; each test begins with empty queues and both processors well.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Payment, ProcessorName } from '../../shared/payment.ts'
import { eventually } from '../support/eventually.ts'
import { newPayment, newPayments, required } from '../support/payments.ts'
import { startTestPipeline } from '../support/pipeline.ts'
import type { FaultOrder } from '../support/processor/admin-client.ts'

const FALLBACK_AFTER_MS = 1_500
const BREAKER_OPEN_MS = 100
const PROCESSOR_TIMEOUT_MS = 2_500
const pipeline = await startTestPipeline({
  // The monitor's word would add probes to those that are counted here; test/pipeline/health-monitor.test.ts has it.
  monitors: 0,
  environment: {
    processor: { FRONT: 'on' },
    worker: {
      FALLBACK_AFTER_MS: String(FALLBACK_AFTER_MS),
      BREAKER_OPEN_MS: String(BREAKER_OPEN_MS),
      PROCESSOR_TIMEOUT_MS: String(PROCESSOR_TIMEOUT_MS)
    }
  }
})
const { admins, keys, redis, stack } = pipeline
const both = [admins.default, admins.fallback]

beforeEach(async () => {
  for (const admin of both) await admin.setFailing(false)
  for (const admin of both) await admin.setDelay(0)
  for (const admin of both) await admin.setFaults()
  // A payment that gets through closes default's breaker.
  await pay([newPayment()])
  await pipeline.untilSettled(10_000)
})
afterEach(async () => {
  await pipeline.untilSettled(20_000)
  await assertBooksEqual()
})

async function pay(payments: readonly Payment[]): Promise<void> {
  for (const { status, body } of await Promise.all(payments.map(pipeline.pay))) assert.equal(status, 202, body)
}

/** Our totals are those of the processors, and nothing is left over. */
async function assertBooksEqual(): Promise<void> {
  const ours = await pipeline.summary()
  for (const name of ['default', 'fallback'] as const) {
    const { totalRequests, totalAmount } = await admins[name].summary()
    assert.deepEqual(ours[name], { requests: totalRequests, cents: Math.round(totalAmount * 100) }, name)
  }
  assert.deepEqual([await redis.xlen(keys.queue), await redis.hlen(keys.inFlight), await redis.xlen(keys.deadLetters)], [0, 0, 0])
}

type Counts = { bookings: number; attempts: number }

async function countsAt(name: ProcessorName): Promise<Counts> {
  const { bookings, answered } = await admins[name].state()
  return { bookings, attempts: Object.values(answered).reduce((sum, count) => sum + count, 0) }
}

/** What both processors count from here on. */
async function countFromNow(): Promise<(name: ProcessorName) => Promise<Counts>> {
  const start = { default: await countsAt('default'), fallback: await countsAt('fallback') }
  return async name => {
    const now = await countsAt(name)
    return { bookings: now.bookings - start[name].bookings, attempts: now.attempts - start[name].attempts }
  }
}

type Whereabouts = { status: string; processor?: ProcessorName; requestedAt?: string }

async function whereaboutsOf({ correlationId }: Payment): Promise<Whereabouts> {
  return JSON.parse((await pipeline.get(`/payments/${correlationId}`)).body) as Whereabouts
}

test('default fails: payments wait, and those older than FALLBACK_AFTER_MS go to fallback', async () => {
  const since = await countFromNow()
  await admins.default.setFailing(true)
  const payments = newPayments(40)
  const sentAtMs = Date.now()
  await pay(payments)
  await pipeline.untilSettled(10_000)
  assert.equal((await since('default')).bookings, 0)
  assert.deepEqual(await since('fallback'), { bookings: 40, attempts: 40 })
  for (const payment of payments) {
    const { processor, requestedAt } = await whereaboutsOf(payment)
    assert.equal(processor, 'fallback')
    const waitedMs = Date.parse(required(requestedAt)) - sentAtMs
    assert(waitedMs >= FALLBACK_AFTER_MS, `went to fallback after ${waitedMs} ms`)
  }
})

test('default is back in time: everything that waited goes there', async () => {
  const since = await countFromNow()
  await admins.default.setFailing(true)
  await pay(newPayments(30))
  await eventually('default was asked', 5_000, async () => (await since('default')).attempts > 0)
  await admins.default.setFailing(false)
  await pipeline.untilSettled(10_000)
  assert.equal((await since('default')).bookings, 30)
  assert.deepEqual(await since('fallback'), { bookings: 0, attempts: 0 })
})

test('both fail: nothing is lost, few attempts are made, and default gets everything once it is back', async t => {
  const since = await countFromNow()
  for (const admin of both) await admin.setFailing(true)
  // A few first, so that the breakers open before the many come.
  await pay(newPayments(5))
  for (const name of ['default', 'fallback'] as const) {
    await eventually(`${name} was asked`, 10_000, async () => (await since(name)).attempts > 2)
  }
  await pay(newPayments(295))

  const startedAtMs = performance.now()
  const attempts = { default: (await since('default')).attempts, fallback: (await since('fallback')).attempts }
  await sleep(1_500)
  for (const name of ['default', 'fallback'] as const) {
    const probeCount = (await since(name)).attempts - attempts[name]
    const windowMs = performance.now() - startedAtMs
    // One probe each time that a breaker has been open for long enough, whatever waits.
    const probesMax = windowMs / BREAKER_OPEN_MS + 2
    t.diagnostic(`${probeCount} probes at ${name} in ${windowMs.toFixed(0)} ms`)
    assert(probeCount >= 2 && probeCount <= probesMax, `${probeCount} probes at ${name}, at most ${probesMax}`)
  }
  assert.equal(await redis.xlen(keys.queue), 300)

  await admins.default.setFailing(false)
  await pipeline.untilSettled(10_000)
  assert.equal((await since('default')).bookings, 300)
  assert.equal((await since('fallback')).bookings, 0)
})

test('a flood on a failing default: it sees each payment at most once before its breaker opens', async () => {
  const since = await countFromNow()
  await admins.default.setFailing(true)
  await pay(newPayments(400))
  await pipeline.untilSettled(15_000)
  const { attempts, bookings } = await since('default')
  assert.equal(bookings, 0)
  // Those on their way when the first refusal comes, and the probes.
  assert(attempts <= 450, `${attempts} attempts`)
  assert.deepEqual(await since('fallback'), { bookings: 400, attempts: 400 })
})

test('a slow default with room for the rate builds no backlog, and fallback gets nothing', async t => {
  const since = await countFromNow()
  await admins.default.setDelay(1_000)
  const perSecond = 500
  const count = 4 * perSecond
  const answers: Promise<void>[] = []
  let waitingMax = 0
  const startedAtMs = performance.now()
  while (answers.length < count) {
    const due = Math.min(count, Math.ceil((performance.now() - startedAtMs) * perSecond / 1_000))
    while (answers.length < due) answers.push(pay([newPayment()]))
    const [queued, inFlight] = await Promise.all([redis.xlen(keys.queue), redis.hlen(keys.inFlight)])
    waitingMax = Math.max(waitingMax, queued - inFlight)
    await sleep(5)
  }
  await Promise.all(answers)
  const sentForMs = performance.now() - startedAtMs
  await pipeline.untilSettled(5_000)
  const lateMs = performance.now() - startedAtMs - sentForMs
  t.diagnostic(`${count} in ${sentForMs.toFixed(0)} ms, at most ${waitingMax} waiting, settled after ${lateMs.toFixed(0)} ms`)
  assert.deepEqual(await since('default'), { bookings: count, attempts: count })
  assert.equal((await since('fallback')).attempts, 0)
  // In flight at a time is what the delay wants, 500; what is not in flight must not pile up for more than moments.
  assert(waitingMax < perSecond / 2, `${waitingMax} waiting`)
  assert(lateMs < 2_500, `${lateMs} ms`)
})

test('a payment that default has already is counted once, at the time that is stored there', async () => {
  const payment = newPayment(3_333)
  const requestedAt = '2026-01-02T03:04:05.678Z'
  const direct = await fetch(`${stack.processorUrls.default}/payments`, {
    method: 'POST', body: JSON.stringify({ correlationId: payment.correlationId, amount: 33.33, requestedAt })
  })
  assert.equal(direct.status, 200)
  await pay([payment])
  await pipeline.untilSettled(10_000)
  const { status, processor, requestedAt: ours } = await whereaboutsOf(payment)
  assert.deepEqual({ status, processor, ours }, { status: 'settled', processor: 'default', ours: requestedAt })
  assert.deepEqual((await pipeline.summary(`?from=${requestedAt}&to=${requestedAt}`)).default, { requests: 1, cents: 3_333 })
})

const UNKNOWN: FaultOrder[] = (['reset', 'garbage', 'cut', 'silent'] as const).flatMap(kind =>
  [{ kind, insert: true, next: 3 }, { kind, insert: false, next: 3 }])

for (const fault of UNKNOWN) {
  const isStored = fault.insert === true
  const what = `${fault.kind}, ${isStored ? 'stored' : 'not stored'}`
  test(`unknown outcome (${what}): the payment stays with its processor, booked once`, async () => {
    const since = await countFromNow()
    await admins.default.setFaults([fault])
    const payments = newPayments(3)
    await pay(payments)
    await eventually('the fault has happened', 10_000, async () => (await admins.default.faultsFired())[0] === 3)
    // From here on default refuses, for longer than payments wait that are free to go elsewhere.
    await admins.default.setFailing(true)
    if (isStored) await pipeline.untilSettled(PROCESSOR_TIMEOUT_MS + 5_000)
    else await sleep(FALLBACK_AFTER_MS + 200)
    assert.equal((await since('fallback')).attempts, 0)
    await admins.default.setFailing(false)
    await pipeline.untilSettled(PROCESSOR_TIMEOUT_MS + 10_000)
    assert.equal((await since('default')).bookings, 3)
    assert.equal((await since('fallback')).attempts, 0)
  })
}

test('a processor that does not listen loses nothing, and is not stormed', async () => {
  const since = await countFromNow()
  const processor = stack.part('processor-default')
  await processor.stop()
  await pay(newPayments(20))
  await pipeline.untilSettled(10_000)
  assert.equal((await since('fallback')).bookings, 20)
  await processor.start()
  await admins.default.setFailing(false)
  await eventually('default is used again', 10_000, async () => {
    const payment = newPayment()
    await pay([payment])
    await pipeline.untilSettled(10_000)
    return (await whereaboutsOf(payment)).processor === 'default'
  })
})
