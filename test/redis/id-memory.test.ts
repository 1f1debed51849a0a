// Goal: a payment sent twice is queued once, for as long as its id is remembered, and a client can ask where it is.
// Method: a real redis-server; each test has keys of its own. How a payment is answered and found on its way through
// the pipeline: test/pipeline/accept.test.ts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digitsOf, periodFrom } from '../../shared/id-memory.ts'
import type { Keys } from '../../shared/keys.ts'
import type { Payment } from '../../shared/payment.ts'
import { createFunctions, type Functions } from '../../shared/redis/functions.ts'
import { adoptIdPeriods } from '../../shared/redis/id-periods.ts'
import { newPayment, newPayments, required } from '../support/payments.ts'
import { infoNumber } from '../support/redis-info.ts'
import { startTestRedis } from '../support/redis.ts'
import { acceptAndTake, AT_DEFAULT, takeOne } from '../support/taken.ts'

const { redis, isolate } = await startTestRedis()

const HOUR_MS = 3_600_000

/** What is left of a payment that both processors refuse for good. */
async function deadLetterOf(functions: Functions, payment: Payment) {
  await functions.accept([payment], 100)
  const choice = { processor: 'fallback', requestedAtMs: 1 } as const
  const last = required(await functions.passOn(await takeOne(functions), 'worker', choice))
  assert.equal(await functions.bury(last, 'status 400'), true)
  const letter = required((await functions.deadLetters(10)).at(-1))
  assert(letter.kind === 'payment')
  return letter
}

/** The hash in which an id stands. */
async function nodeOf(keys: Keys, { correlationId }: Payment): Promise<string> {
  const nodes = await redis.keys(keys.idsPattern)
  const field = digitsOf(correlationId).slice(0, 29)
  const found = await Promise.all(nodes.map(node => redis.hexists(node, field)))
  return required(nodes.find((_, index) => found[index] === 1))
}

/** Puts an id where it was remembered in an earlier period. Returns the name of the hash. */
async function remember(keys: Keys, { correlationId }: Payment, period: string, record: string): Promise<string> {
  const digits = digitsOf(correlationId)
  const node = `${keys.idNodes}${period}:${digits.slice(-3)}`
  await redis.hset(node, digits.slice(0, 29), record)
  return node
}

test('an id of an older period is known as long as that is remembered', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment()
  const nowMs = Date.now()
  const older = periodFrom(nowMs - 24 * HOUR_MS, 0, 24)
  await redis.hset(keys.idPeriods, older.name, `${older.startMs} ${older.endMs} ${older.forgottenMs} 3`)
  await remember(keys, payment, older.name, '1990 d5')
  assert.deepEqual(await functions.accept([payment], 100), ['duplicate'])
  const settled = { status: 'settled', cents: 1_990, processor: 'default', requestedAtMs: 5 }
  assert.deepEqual(await functions.find(payment.correlationId), settled)
  assert.deepEqual(await redis.hkeys(keys.idPeriods), [older.name, periodFrom(nowMs, 0, 24).name])
})

test('a changed retention forgets no id, whichever way it changes and whoever runs beside whom', async () => {
  const { keys } = await isolate()
  const retentions = [24, 1, 24, 720, 2, 1, 8_760]
  const gateways = retentions.map(hours => createFunctions(redis, keys, hours))
  const accepted = newPayments(gateways.length)
  for (const [index, gateway] of gateways.entries()) {
    assert.deepEqual(await gateway.accept([required(accepted[index])], 100), ['accepted'])
    const known = accepted.slice(0, index + 1)
    const duplicates = known.map(() => 'duplicate')
    for (const other of gateways) assert.deepEqual(await other.accept(known, 100), duplicates)
  }
  // And each is remembered for as long as the gateway that accepted it was told.
  for (const [index, hours] of retentions.entries()) {
    const expiresMs = await redis.pexpiretime(await nodeOf(keys, required(accepted[index])))
    assert(expiresMs - Date.now() >= hours * HOUR_MS - 1_000, `${hours} h`)
  }
  assert((await redis.hlen(keys.idPeriods)) <= 4, 'only a longer retention begins a period early')
})

test('the ids that version 0.1 remembered are found after an upgrade, also with another retention', async () => {
  const { keys, functions } = await isolate()
  const payments = newPayments(2)
  for (const [index, payment] of payments.entries()) {
    const node = await remember(keys, payment, `2026-11-2${index}T00`, '1990 1795247300123-0')
    await redis.pexpireat(node, Date.now() + HOUR_MS + index * 24 * HOUR_MS)
  }
  await Promise.all([adoptIdPeriods(redis, keys), adoptIdPeriods(redis, keys)])
  for (const gateway of [createFunctions(redis, keys, 1), functions])
    assert.deepEqual(await gateway.accept(payments, 100), ['duplicate', 'duplicate'])
  assert.equal((await functions.find(required(payments[1]).correlationId))?.status, 'settled')
})

test('they are all found, too, if the first service that looked for them died over it', async () => {
  const { keys, functions } = await isolate()
  const payments = newPayments(3)
  for (const [index, payment] of payments.entries())
    await redis.pexpireat(await remember(keys, payment, `2026-11-2${index}T00`, '1990 d5'), Date.now() + 25 * HOUR_MS)
  // Its first call is carried out, and no other.
  let callCount = 0
  const call = async (...command: [string]) => {
    if (++callCount === 1) await redis.call(...command)
    throw new Error('killed')
  }
  const dying = Object.create(redis, { call: { value: call } }) as typeof redis
  await assert.rejects(adoptIdPeriods(dying, keys), /killed/)
  await adoptIdPeriods(redis, keys)
  assert.deepEqual(await functions.accept(payments, 100), ['duplicate', 'duplicate', 'duplicate'])
})

test('periods that are forgotten are dropped when the next one begins', async () => {
  const { keys, functions } = await isolate()
  const nowMs = Date.now()
  await redis.hset(keys.idPeriods, 'long-ago', `1 2 ${nowMs - 1} 3`, 'remembered', `3 4 ${nowMs + 60_000} 3`)
  await functions.accept([newPayment()], 100)
  assert.deepEqual(await redis.hkeys(keys.idPeriods), ['remembered', periodFrom(nowMs, 0, 24).name])
})

test('a node that is full goes on in finer ones, which are found and packed as well', async () => {
  const { keys, functions } = await isolate()
  // All with the same last four digits, so that the first two nodes on their way are full.
  const payments = newPayments(1_100).map(payment => ({
    ...payment,
    correlationId: `${payment.correlationId.slice(0, 32)}abcd`
  }))
  const acceptAll = async () => {
    const outcomes = new Set<string>()
    for (let at = 0; at < payments.length; at += 100)
      for (const outcome of await functions.accept(payments.slice(at, at + 100), 10_000)) outcomes.add(outcome)
    return [...outcomes]
  }
  assert.deepEqual(await acceptAll(), ['accepted'])
  const full: string[] = []
  for (const node of await redis.keys(keys.idsPattern)) {
    const [digits, length] = [node.slice(node.lastIndexOf(':') + 1), await redis.hlen(node)]
    assert(length <= 512 && 'abcd'.endsWith(digits.slice(-4)))
    if (length === 512) full.push(digits)
    assert.equal(await redis.object('ENCODING', node), 'listpack')
    assert((await redis.pttl(node)) > 0)
  }
  assert.deepEqual(full.sort(), ['abcd', 'bcd'])
  assert.deepEqual(await acceptAll(), ['duplicate'])
  // Settling finds them as well.
  const { payments: taken } = await functions.take('worker', AT_DEFAULT, 1_100)
  assert.equal(await functions.settle('default', taken), 1_100)
  for (const payment of [payments[0], payments[600], payments[1_099]])
    assert.equal((await functions.find(required(payment).correlationId))?.status, 'settled')
})

test('the memory of a period expires when it has been over for the retention', async () => {
  const { keys } = await isolate()
  const functions = createFunctions(redis, keys, 1)
  const payments = newPayments(2)
  await functions.accept(payments, 100)
  const { forgottenMs } = periodFrom(Date.now(), 0, 1)
  for (const payment of payments) assert.equal(await redis.pexpiretime(await nodeOf(keys, payment)), forgottenMs)
})

test('settling a payment whose id was forgotten does not bring it back', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment()
  await functions.accept([payment], 100)
  const node = await nodeOf(keys, payment)
  await redis.del(node)
  assert.equal(await functions.settle('default', [await takeOne(functions)]), 1)
  assert.equal(await redis.exists(node), 0)
  assert.equal(await functions.find(payment.correlationId), undefined)
})

test('settling a payment whose id was forgotten and accepted again leaves the record of the other one', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment()
  const first = await acceptAndTake(functions, [payment])
  await redis.del(await nodeOf(keys, payment))
  await functions.accept([payment], 100)
  assert.equal(await functions.settle('default', first), 1)
  assert.equal((await functions.find(payment.correlationId))?.status, 'queued')
})

test('a dead letter that is redriven is an accepted payment again, once', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment(1_990)
  const find = () => functions.find(payment.correlationId)
  const letter = await deadLetterOf(functions, payment)
  const { letterId, entryId, attempt } = letter
  assert.deepEqual(letter, { ...payment, kind: 'payment', letterId, entryId, attempt, reason: 'status 400' })
  assert.deepEqual(await find(), { status: 'dead-letter', cents: 1_990 })
  assert.deepEqual(await functions.accept([payment], 100), ['duplicate'])

  assert.equal(await functions.redrive(letter), 'redriven')
  assert.equal(await functions.redrive(letter), 'gone')
  assert.deepEqual(await functions.deadLetters(10), [])
  assert.deepEqual(await find(), { status: 'queued', cents: 1_990 })
  assert.deepEqual(await functions.accept([payment], 100), ['duplicate'])
  assert.equal(await functions.settle('default', [await takeOne(functions)]), 1)
  assert.equal((await find())?.status, 'settled')
  assert.equal(await redis.xlen(keys.queue), 0)
})

test('a dead letter whose id was forgotten and paid again is not paid a second time', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment(1_990)
  const letter = await deadLetterOf(functions, payment)
  await redis.del(await nodeOf(keys, payment))
  assert.deepEqual(await functions.accept([payment], 100), ['accepted'])
  assert.equal(await functions.redrive(letter), 'known')
  assert.equal(await functions.settle('default', [await takeOne(functions)]), 1)
  assert.equal(await functions.redrive(letter), 'known')
  assert.deepEqual(await functions.find(payment.correlationId), { status: 'settled', cents: 1_990, ...AT_DEFAULT })
  assert.equal(await redis.xlen(keys.queue), 0)
})

test('a dead letter that is no payment stops nothing, is not redriven, and can be discarded', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment()
  const made = required(await redis.xadd(keys.deadLetters, '*', 'foo', 'bar'))
  const letter = await deadLetterOf(functions, payment)
  const reason = 'it is no dead letter of the pipeline'
  const malformed = { kind: 'malformed', letterId: made, fields: '["foo","bar"]', reason }
  assert.deepEqual(await functions.deadLetters(10), [malformed, letter])
  assert.equal(await functions.redrive({ letterId: made, correlationId: payment.correlationId }), 'malformed')
  assert.equal(await functions.discard(letter.letterId), 'payment')
  assert.equal(await functions.discard(made), 'discarded')
  assert.equal(await functions.discard(made), 'gone')
  assert.equal(await functions.redrive(letter), 'redriven')
})

test('a remembered id takes at most 64 bytes, also at 1,000 a second', async () => {
  const { keys, functions } = await isolate()
  // Of the ids of a day those that end with 000, a 4096th: their nodes are as full as those of all.
  const payments = newPayments(Math.round(86_400_000 / 4_096)).map(payment => ({
    ...payment,
    correlationId: `${payment.correlationId.slice(0, 33)}000`
  }))
  for (let at = 0; at < payments.length; at += 200)
    await functions.settle('default', await acceptAndTake(functions, payments.slice(at, at + 200)))
  const usedBytes = () => infoNumber(redis, 'memory', 'used_memory')
  const before = await usedBytes()
  await redis.del(...(await redis.keys(keys.idsPattern)))
  const bytes = (before - (await usedBytes())) / payments.length
  assert(bytes > 40 && bytes <= 64, `${bytes} bytes`)
})
