// Goal: a payment sent twice is queued once, for as long as its id is remembered, and a client can ask where it is.
// Method: a real redis-server; each test has keys of its own.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createIdPeriods } from '../../shared/id-memory.ts'
import { createFunctions } from '../../shared/redis/functions.ts'
import { loadLibrary } from '../../shared/redis/library.ts'
import { cents, newPayment, newPayments, required } from '../support/payments.ts'
import { startTestRedis, TEST_PERIODS } from '../support/redis.ts'

const { redis, isolate } = await startTestRedis()
await loadLibrary(redis)

const AT_DEFAULT = { processor: 'default', requestedAtMs: 1_795_247_300_456 } as const

test('the same payment again is a duplicate in every state of its life, another amount a conflict', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment(1_990)
  const other = { ...payment, cents: cents(1_991) }
  const again = async () => {
    assert.deepEqual(await functions.accept([payment, other], 100), ['duplicate', 'conflict'])
  }
  assert.deepEqual(await functions.accept([payment, payment, other], 100), ['accepted', 'duplicate', 'conflict'])
  await again()
  const { payments } = await functions.take('worker', AT_DEFAULT, 10)
  assert.equal(payments.length, 1)
  await again()
  await functions.settle('default', payments)
  await again()
  assert.equal(await redis.xlen(keys.queue), 0)
})

test('a full queue still knows its duplicates', async () => {
  const { functions } = await isolate()
  const payment = newPayment()
  await functions.accept([payment], 1)
  assert.deepEqual(await functions.accept([payment, newPayment()], 1), ['duplicate', 'full'])
})

test('find follows a payment through its life', async () => {
  const { functions } = await isolate()
  const payment = newPayment(1_990)
  const find = () => functions.find(payment.correlationId)
  assert.equal(await find(), undefined)
  await functions.accept([payment], 100)
  assert.deepEqual(await find(), { status: 'queued', cents: 1_990 })
  const { payments } = await functions.take('worker', AT_DEFAULT, 1)
  assert.deepEqual(await find(), { status: 'in-flight', cents: 1_990, ...AT_DEFAULT })
  await functions.release(payments)
  assert.deepEqual(await find(), { status: 'queued', cents: 1_990 })
  const { payments: [taken] } = await functions.take('worker', AT_DEFAULT, 1)
  await functions.settle('default', [{ ...required(taken), requestedAtMs: 5 }])
  assert.deepEqual(await find(), { status: 'settled', cents: 1_990, processor: 'default', requestedAtMs: 5 })
})

test('find knows dead letters', async () => {
  const { functions } = await isolate()
  const payment = newPayment(1_990)
  await functions.accept([payment], 100)
  const { payments: [taken] } = await functions.take('worker', AT_DEFAULT, 1)
  await functions.bury(required(taken), 'status 400')
  assert.deepEqual(await functions.find(payment.correlationId), { status: 'dead-letter', cents: 1_990 })
  assert.deepEqual(await functions.accept([payment], 100), ['duplicate'])
})

test('an id of the period before is known, one of two periods before is not', async () => {
  const { keys, functions } = await isolate()
  const now = TEST_PERIODS.at(Date.now())
  for (const [period, expected] of [[now - 1, 'duplicate'], [now - 2, 'accepted']] as const) {
    const payment = newPayment(1_990)
    const { node, field } = TEST_PERIODS.place(payment.correlationId, period)
    await redis.hset(keys.ids(node), field, '1990 d5')
    assert.deepEqual(await functions.accept([payment], 100), [expected])
  }
})

test('a caller whose clock is in another period is put right by the clock of Redis', async () => {
  const { keys, functions } = await isolate()
  // Periods that begin at another time: their numbers differ as those of a wrong clock do.
  const skewed = createFunctions(redis, keys, { ...TEST_PERIODS, at: timeMs => TEST_PERIODS.at(timeMs) + 1 })
  const payment = newPayment()
  assert.deepEqual(await skewed.accept([payment], 100), ['accepted'])
  assert.deepEqual(await functions.accept([payment], 100), ['duplicate'])
})

test('the memory of a period expires when the next one is over', async () => {
  const { keys } = await isolate()
  const periods = createIdPeriods(1)
  const functions = createFunctions(redis, keys, periods)
  const payments = newPayments(2)
  await functions.accept(payments, 100)
  const now = periods.at(Date.now())
  for (const { correlationId } of payments) {
    const expiresAtMs = await redis.pexpiretime(keys.ids(periods.place(correlationId, now).node))
    assert.equal(expiresAtMs, (now + 2) * periods.lengthMs)
  }
})

test('settling a payment whose id was forgotten does not bring it back', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment()
  await functions.accept([payment], 100)
  const node = keys.ids(TEST_PERIODS.place(payment.correlationId, TEST_PERIODS.at(Date.now())).node)
  await redis.del(node)
  const { payments } = await functions.take('worker', AT_DEFAULT, 1)
  assert.equal(await functions.settle('default', payments), 1)
  assert.equal(await redis.exists(node), 0)
  assert.equal(await functions.find(payment.correlationId), undefined)
})

test('a dead letter that is redriven is an accepted payment again, once', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment(1_990)
  await functions.accept([payment], 100)
  const { payments: [taken] } = await functions.take('worker', AT_DEFAULT, 1)
  await functions.bury(required(taken), 'status 400')
  const letters = await functions.deadLetters(10)
  const letter = required(letters[0])
  assert.deepEqual({ ...letter, letterId: '' }, {
    ...payment, entryId: required(taken).entryId, letterId: '', attempt: required(taken).record, reason: 'status 400'
  })

  assert.equal(await functions.redrive(letter), true)
  assert.equal(await functions.redrive(letter), false)
  assert.deepEqual(await functions.deadLetters(10), [])
  assert.deepEqual(await functions.find(payment.correlationId), { status: 'queued', cents: 1_990 })
  assert.deepEqual(await functions.accept([payment], 100), ['duplicate'])
  const { payments } = await functions.take('worker', AT_DEFAULT, 10)
  assert.equal(await functions.settle('default', payments), 1)
  assert.equal((await functions.find(payment.correlationId))?.status, 'settled')
  assert.equal(await redis.xlen(keys.queue), 0)
})
