// Goal: after a purge nothing is known of what was before, and what was under way then does no harm to what comes
// after.
// Method: a real redis-server; each test has keys of its own.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { purge } from '../../shared/redis/purge.ts'
import { newPayment } from '../support/payments.ts'
import { startTestRedis } from '../support/redis.ts'
import { acceptAndTake, takeOne } from '../support/taken.ts'

const { redis, isolate } = await startTestRedis()

const HOUR_MS = 3_600_000

test('an id that was purged is new, however soon after another purge', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment()
  for (let round = 0; round < 5; round++) {
    assert.deepEqual(await functions.accept([payment], 100), ['accepted'])
    await purge(redis, keys, functions)
    assert.equal(await functions.find(payment.correlationId), undefined)
  }
})

test('it is new as well where the clock has stepped back and the purge was not completed', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment()
  const nowMs = Date.now()
  await redis.hset(keys.clock, 'seen', nowMs + 30 * HOUR_MS, 'clock', nowMs)
  assert.deepEqual(await functions.accept([payment], 100), ['accepted'])
  await functions.purge()
  assert.deepEqual(await functions.accept([payment], 100), ['accepted'])
})

test('a worker that was sending meanwhile does not settle another payment in the place of its own', async () => {
  const { keys, functions } = await isolate()
  const [before, after] = [newPayment(), newPayment()]
  // The time stands still, as within a millisecond, or after the clock has stepped back.
  const nowMs = Date.now() + HOUR_MS
  await redis.hset(keys.clock, 'seen', nowMs, 'clock', nowMs)
  await functions.accept([before], 100)
  const sending = await takeOne(functions)
  await purge(redis, keys, functions)
  await functions.accept([after], 100)
  assert.notEqual((await takeOne(functions, 'other')).entryId, sending.entryId)
  assert.equal(await functions.settle('default', [sending]), 0)
  assert.equal((await functions.find(after.correlationId))?.status, 'in-flight')
})

test('a purge makes the queue and its group where there are none', async () => {
  const { keys, functions } = await isolate()
  await redis.del(keys.queue)
  await functions.purge()
  assert.equal((await acceptAndTake(functions, [newPayment()])).length, 1)
})
