// Goal: payments go to default while it works, to fallback once they have waited long enough, and nowhere twice,
// whatever the processors do; and a processor in trouble is not stormed.
// Method: the pipeline behind HAProxy with the models as processors. Their own counts of attempts and bookings are what
// is compared; each test begins with empty queues and both processors well. What default gets as long as it can take it
// is in default-first.test.ts, what becomes of a payment whose outcome is unknown in test/faults/processor.test.ts.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Payment, ProcessorName } from '../../shared/payment.ts'
import { assertBooksEqual, countFromNow } from '../support/counts.ts'
import { eventually } from '../support/eventually.ts'
import { newPayment, newPayments, required } from '../support/payments.ts'
import { startTestPipeline } from '../support/pipeline.ts'

const FALLBACK_AFTER_MS = 1_500
const BREAKER_OPEN_MS = 100
// No answer that a test wants takes so long, on no machine.
const PROCESSOR_TIMEOUT_MS = 6_000
const pipeline = await startTestPipeline({
  // The monitor's word would add probes to those that are counted here; test/pipeline/health-monitor.test.ts has it.
  monitors: 0,
  environment: {
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
  await untilDefaultIsUsed()
})
afterEach(async () => {
  await pipeline.untilSettled()
  await assertBooksEqual(pipeline)
})

async function pay(payments: readonly Payment[]): Promise<void> {
  for (const { status, body } of await Promise.all(payments.map(pipeline.pay))) assert.equal(status, 202, body)
}

type Whereabouts = { status: string; processor?: ProcessorName; requestedAt?: string }

async function whereaboutsOf({ correlationId }: Payment): Promise<Whereabouts> {
  return JSON.parse((await pipeline.get(`/payments/${correlationId}`)).body) as Whereabouts
}

/** Default's breaker is closed then, because a payment got through. */
async function untilDefaultIsUsed(): Promise<void> {
  await eventually('default is used', async () => {
    const payment = newPayment()
    await pay([payment])
    await pipeline.untilSettled()
    return (await whereaboutsOf(payment)).processor === 'default'
  })
}

test('default fails: payments wait, and those older than FALLBACK_AFTER_MS go to fallback', async () => {
  const since = await countFromNow(pipeline)
  await admins.default.setFailing(true)
  const payments = newPayments(40)
  const sentAtMs = Date.now()
  await pay(payments)
  await pipeline.untilSettled()
  assert.equal((await since('default')).bookings, 0)
  assert.deepEqual(await since('fallback'), { bookings: 40, attempts: 40 })
  for (const payment of payments) {
    const { processor, requestedAt } = await whereaboutsOf(payment)
    assert.equal(processor, 'fallback')
    const waitedMs = Date.parse(required(requestedAt)) - sentAtMs
    assert(waitedMs >= FALLBACK_AFTER_MS, `went to fallback after ${waitedMs} ms`)
  }
})

test('both fail: nothing is lost, few attempts are made, and default gets everything once it is back', async t => {
  const since = await countFromNow(pipeline)
  for (const admin of both) await admin.setFailing(true)
  // A few first, so that the breakers open before the many come.
  await pay(newPayments(5))
  for (const name of ['default', 'fallback'] as const) {
    await eventually(`${name} was asked`, async () => (await since(name)).attempts > 2)
  }
  await pay(newPayments(295))

  const startedAtMs = performance.now()
  const sinceOpen = await countFromNow(pipeline)
  // Long enough for the many to be free for fallback as well, and for each processor to be probed.
  await sleep(FALLBACK_AFTER_MS)
  for (const name of ['default', 'fallback'] as const) {
    const probeCount = await eventually(`${name} is probed`, async () => {
      const { attempts } = await sinceOpen(name)
      return attempts >= 2 && attempts
    })
    const windowMs = performance.now() - startedAtMs
    // One probe each time that a breaker has been open for long enough, whatever waits.
    const probesMax = windowMs / BREAKER_OPEN_MS + 2
    t.diagnostic(`${probeCount} probes at ${name} in ${windowMs.toFixed(0)} ms`)
    assert(probeCount <= probesMax, `${probeCount} probes at ${name}, at most ${probesMax}`)
  }
  assert.equal(await redis.xlen(keys.queue), 300)

  await admins.default.setFailing(false)
  await pipeline.untilSettled()
  assert.equal((await since('default')).bookings, 300)
  assert.equal((await since('fallback')).bookings, 0)
})

test('a flood on a failing default: it sees each payment at most once before its breaker opens', async t => {
  const since = await countFromNow(pipeline)
  await admins.default.setFailing(true)
  const startedAtMs = performance.now()
  await pay(newPayments(400))
  await pipeline.untilSettled()
  const { attempts, bookings } = await since('default')
  const windowMs = performance.now() - startedAtMs
  assert.equal(bookings, 0)
  // Those on their way when the breaker opens, of which the first two refusals may have let one back in each, and its
  // probes for as long as payments wait.
  const attemptsMax = 402 + windowMs / BREAKER_OPEN_MS + 1
  t.diagnostic(`${attempts} attempts in ${windowMs.toFixed(0)} ms`)
  assert(attempts <= attemptsMax, `${attempts} attempts, at most ${attemptsMax}`)
  assert.deepEqual(await since('fallback'), { bookings: 400, attempts: 400 })
})

test('a payment that default has already is counted once, at the time that is stored there', async () => {
  const payment = newPayment(3_333)
  const requestedAt = '2026-01-02T03:04:05.678Z'
  const direct = await fetch(`${stack.processorUrls.default}/payments`, {
    method: 'POST',
    body: JSON.stringify({ correlationId: payment.correlationId, amount: 33.33, requestedAt })
  })
  assert.equal(direct.status, 200)
  await pay([payment])
  await pipeline.untilSettled()
  const { status, processor, requestedAt: ours } = await whereaboutsOf(payment)
  assert.deepEqual({ status, processor, ours }, { status: 'settled', processor: 'default', ours: requestedAt })
  assert.deepEqual((await pipeline.summary(`?from=${requestedAt}&to=${requestedAt}`)).default, {
    requests: 1,
    cents: 3_333
  })
})

test('a processor that does not listen loses nothing', async () => {
  const since = await countFromNow(pipeline)
  const processor = stack.part('processor-default')
  await processor.stop()
  await pay(newPayments(20))
  await pipeline.untilSettled()
  assert.equal((await since('fallback')).bookings, 20)
  await processor.start()
  await admins.default.setFailing(false)
  await untilDefaultIsUsed()
})
