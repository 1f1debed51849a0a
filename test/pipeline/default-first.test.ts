// Goal: what default can take goes to default: after a failure that ends in time, and at a rate for which it has room.
// Method: as in routing.test.ts, but payments may wait far longer than these tests take, so that no slow machine gives
// one of them a reason to go to fallback.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Payment } from '../../shared/payment.ts'
import { assertBooksEqual, countFromNow } from '../support/counts.ts'
import { eventually, PATIENCE_MS } from '../support/eventually.ts'
import { newPayment, newPayments } from '../support/payments.ts'
import { startTestPipeline } from '../support/pipeline.ts'

const pipeline = await startTestPipeline({
  monitors: 0,
  environment: {
    worker: {
      FALLBACK_AFTER_MS: String(2 * PATIENCE_MS),
      PROCESSOR_TIMEOUT_MS: String(PATIENCE_MS),
      BREAKER_OPEN_MS: '100'
    }
  }
})
const { admins, keys, redis } = pipeline

beforeEach(async () => {
  await admins.default.setFailing(false)
  await admins.default.setDelay(0)
})
afterEach(async () => {
  await pipeline.untilSettled()
  await assertBooksEqual(pipeline)
})

async function pay(payments: readonly Payment[]): Promise<void> {
  for (const { status, body } of await Promise.all(payments.map(pipeline.pay))) assert.equal(status, 202, body)
}

test('default is back in time: everything that waited goes there', async () => {
  const since = await countFromNow(pipeline)
  await admins.default.setFailing(true)
  await pay(newPayments(30))
  // As many as open its breaker.
  await eventually('default has refused', async () => (await since('default')).attempts >= 3)
  await admins.default.setFailing(false)
  await pipeline.untilSettled()
  assert.equal((await since('default')).bookings, 30)
  assert.deepEqual(await since('fallback'), { bookings: 0, attempts: 0 })
})

test('a slow default with room for the rate builds no backlog, and fallback gets nothing', async t => {
  const since = await countFromNow(pipeline)
  // 500 in flight at a time is what this delay wants, of the 800 that may be.
  await admins.default.setDelay(2_000)
  const perSecond = 250
  const count = 4 * perSecond
  const answers: Promise<void>[] = []
  let waitingMin = Infinity
  const startedAtMs = performance.now()
  while (answers.length < count) {
    const due = Math.min(count, Math.ceil(((performance.now() - startedAtMs) * perSecond) / 1_000))
    while (answers.length < due) answers.push(pay([newPayment()]))
    const [queued, inFlight] = (await redis.multi().xlen(keys.queue).hlen(keys.inFlight).exec()) ?? []
    const waiting = Number(queued?.[1]) - Number(inFlight?.[1])
    // From the time on at which as many leave default as come.
    if (answers.length > count / 2) waitingMin = Math.min(waitingMin, waiting)
    await sleep(5)
  }
  await Promise.all(answers)
  const sentForMs = performance.now() - startedAtMs
  await pipeline.untilSettled()
  const lateMs = performance.now() - startedAtMs - sentForMs
  t.diagnostic(
    `${count} in ${sentForMs.toFixed(0)} ms, at least ${waitingMin} waiting, settled after ${lateMs.toFixed(0)} ms`
  )
  assert.deepEqual(await since('default'), { bookings: count, attempts: count })
  assert.deepEqual(await since('fallback'), { bookings: 0, attempts: 0 })
  // A machine that is busy for a moment lets payments pile up for a moment; a backlog stays. With room for 400 it was
  // 72.
  assert(waitingMin < perSecond / 10, `never fewer than ${waitingMin} waiting`)
})
