// Goal: a payment sent twice is queued once, for as long as its id is remembered, and a client can ask where it is.
// Method: a real redis-server; each test has keys of its own.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digitsOf, periodFrom } from '../../shared/id-memory.ts'
import type { Keys } from '../../shared/keys.ts'
import { createFunctions, type Functions } from '../../shared/redis/functions.ts'
import { adoptIdPeriods } from '../../shared/redis/id-periods.ts'
import { loadLibrary } from '../../shared/redis/library.ts'
import type { TakenPayment } from '../../shared/redis/queued-payment.ts'
import { cents, newPayment, newPayments, required } from '../support/payments.ts'
import { startTestRedis } from '../support/redis.ts'

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
  const {
    payments: [taken]
  } = await functions.take('worker', AT_DEFAULT, 1)
  await functions.settle('default', [{ ...required(taken), requestedAtMs: 5 }])
  assert.deepEqual(await find(), { status: 'settled', cents: 1_990, processor: 'default', requestedAtMs: 5 })
})

/** As both processors refuse it for good. */
async function refuse(functions: Functions, taken: TakenPayment): Promise<void> {
  const last = required(await functions.passOn(taken, 'worker', { processor: 'fallback', requestedAtMs: 1 }))
  assert.equal(await functions.bury(last, 'status 400'), true)
}

async function deadLetterOf(functions: Functions, payment: ReturnType<typeof newPayment>) {
  await functions.accept([payment], 100)
  const {
    payments: [taken]
  } = await functions.take('worker', AT_DEFAULT, 1)
  await refuse(functions, required(taken))
  const letter = required((await functions.deadLetters(10)).at(-1))
  assert(letter.kind === 'payment')
  return letter
}

/** The hash in which an id stands. */
async function nodeOf(keys: Keys, { correlationId }: { correlationId: string }): Promise<string> {
  const nodes = await redis.keys(keys.idsPattern)
  const field = digitsOf(correlationId).slice(0, 29)
  const found = await Promise.all(nodes.map(node => redis.hexists(node, field)))
  return required(nodes.find((_, index) => found[index] === 1))
}

test('find knows dead letters', async () => {
  const { functions } = await isolate()
  const payment = newPayment(1_990)
  await deadLetterOf(functions, payment)
  assert.deepEqual(await functions.find(payment.correlationId), { status: 'dead-letter', cents: 1_990 })
  assert.deepEqual(await functions.accept([payment], 100), ['duplicate'])
})

test('an id of an older period is known as long as that is remembered', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment()
  const nowMs = Date.now()
  const older = periodFrom(nowMs - 86_400_000, 0, 24)
  await redis.hset(keys.idPeriods, older.name, `${older.startMs} ${older.endMs} ${older.forgottenMs} 3`)
  const digits = digitsOf(payment.correlationId)
  await redis.hset(`${keys.idNodes}${older.name}:${digits.slice(-3)}`, digits.slice(0, 29), '1990 d5')
  assert.deepEqual(await functions.accept([payment], 100), ['duplicate'])
  assert.deepEqual(await functions.find(payment.correlationId), {
    status: 'settled',
    cents: 1_990,
    processor: 'default',
    requestedAtMs: 5
  })
  assert.deepEqual(await redis.hkeys(keys.idPeriods), [older.name, periodFrom(nowMs, 0, 24).name])
})

test('a changed retention forgets no id, whichever way it changes and whoever runs beside whom', async () => {
  const { keys } = await isolate()
  const gateways = [24, 1, 24, 720, 2, 1, 8_760].map(hours => createFunctions(redis, keys, hours))
  const accepted = newPayments(gateways.length)
  for (const [index, gateway] of gateways.entries()) {
    assert.deepEqual(await gateway.accept([required(accepted[index])], 100), ['accepted'])
    for (const other of gateways) {
      assert.deepEqual(
        await other.accept(accepted.slice(0, index + 1), 100),
        Array<string>(index + 1).fill('duplicate')
      )
    }
  }
  // And each is remembered for as long as the gateway that accepted it was told.
  for (const [index, hours] of [24, 1, 24, 720, 2, 1, 8_760].entries()) {
    const expiresMs = await redis.pexpiretime(await nodeOf(keys, required(accepted[index])))
    assert(expiresMs - Date.now() >= hours * 3_600_000 - 1_000, `${hours} h`)
  }
  assert((await redis.hlen(keys.idPeriods)) <= 4, 'only a longer retention begins a period early')
})

test('the ids that version 0.1 remembered are found after an upgrade, also with another retention', async () => {
  const { keys, functions } = await isolate()
  const [payment, other] = [newPayment(), newPayment()]
  for (const [each, start, forgottenMs] of [
    [payment, '2026-11-20T00', Date.now() + 3_600_000],
    [other, '2026-11-21T00', Date.now() + 90_000_000]
  ] as const) {
    const digits = digitsOf(each.correlationId)
    await redis.hset(`${keys.idNodes}${start}:${digits.slice(-3)}`, digits.slice(0, 29), '1990 1795247300123-0')
    await redis.pexpireat(`${keys.idNodes}${start}:${digits.slice(-3)}`, forgottenMs)
  }
  await Promise.all([adoptIdPeriods(redis, keys), adoptIdPeriods(redis, keys)])
  const hourly = createFunctions(redis, keys, 1)
  assert.deepEqual(await hourly.accept([payment, other], 100), ['duplicate', 'duplicate'])
  assert.deepEqual(await functions.accept([payment, other], 100), ['duplicate', 'duplicate'])
  assert.equal((await functions.find(other.correlationId))?.status, 'settled')
})

test('they are all found, too, if the first service that looked for them died over it', async () => {
  const { keys, functions } = await isolate()
  const payments = newPayments(3)
  for (const [index, payment] of payments.entries()) {
    const node = `${keys.idNodes}2026-11-2${index}T00:${digitsOf(payment.correlationId).slice(-3)}`
    await redis.hset(node, digitsOf(payment.correlationId).slice(0, 29), '1990 d5')
    await redis.pexpireat(node, Date.now() + 90_000_000)
  }
  // Its first call is carried out, and no other.
  let callCount = 0
  const dying = Object.create(redis, {
    call: {
      value: async (...words: [string]) => {
        if (++callCount === 1) await redis.call(...words)
        throw new Error('killed')
      }
    }
  }) as typeof redis
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
  for (let at = 0; at < payments.length; at += 100) await functions.accept(payments.slice(at, at + 100), 10_000)
  const lengths = await Promise.all(
    (await redis.keys(keys.idsPattern)).map(
      async node => [node.slice(node.lastIndexOf(':') + 1), await redis.hlen(node)] as const
    )
  )
  assert.deepEqual(
    lengths
      .filter(([, length]) => length === 512)
      .map(([digits]) => digits)
      .sort(),
    ['abcd', 'bcd']
  )
  assert(lengths.every(([digits, length]) => length <= 512 && 'abcd'.endsWith(digits.slice(-4))))
  for (const node of await redis.keys(keys.idsPattern)) {
    assert.equal(await redis.object('ENCODING', node), 'listpack')
    assert((await redis.pttl(node)) > 0)
  }
  for (let at = 0; at < payments.length; at += 100) {
    assert.deepEqual(new Set(await functions.accept(payments.slice(at, at + 100), 10_000)), new Set(['duplicate']))
  }
  // Settling finds them as well.
  const { payments: taken } = await functions.take('worker', AT_DEFAULT, 1_100)
  assert.equal(await functions.settle('default', taken), 1_100)
  for (const payment of [payments[0], payments[600], payments[1_099]]) {
    assert.equal((await functions.find(required(payment).correlationId))?.status, 'settled')
  }
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
  const { payments } = await functions.take('worker', AT_DEFAULT, 1)
  assert.equal(await functions.settle('default', payments), 1)
  assert.equal(await redis.exists(node), 0)
  assert.equal(await functions.find(payment.correlationId), undefined)
})

test('settling a payment whose id was forgotten and accepted again leaves the record of the other one', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment()
  await functions.accept([payment], 100)
  const {
    payments: [first]
  } = await functions.take('worker', AT_DEFAULT, 1)
  await redis.del(await nodeOf(keys, payment))
  await functions.accept([payment], 100)
  await functions.settle('default', [required(first)])
  assert.equal((await functions.find(payment.correlationId))?.status, 'queued')
})

test('a dead letter that is redriven is an accepted payment again, once', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment(1_990)
  const letter = await deadLetterOf(functions, payment)
  assert.deepEqual(
    { ...letter, letterId: '', entryId: '', attempt: '' },
    { ...payment, kind: 'payment', entryId: '', letterId: '', attempt: '', reason: 'status 400' }
  )

  assert.equal(await functions.redrive(letter), 'redriven')
  assert.equal(await functions.redrive(letter), 'gone')
  assert.deepEqual(await functions.deadLetters(10), [])
  assert.deepEqual(await functions.find(payment.correlationId), { status: 'queued', cents: 1_990 })
  assert.deepEqual(await functions.accept([payment], 100), ['duplicate'])
  const { payments } = await functions.take('worker', AT_DEFAULT, 10)
  assert.equal(await functions.settle('default', payments), 1)
  assert.equal((await functions.find(payment.correlationId))?.status, 'settled')
  assert.equal(await redis.xlen(keys.queue), 0)
})

test('a dead letter whose id was forgotten and paid again is not paid a second time', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment(1_990)
  const letter = await deadLetterOf(functions, payment)
  await redis.del(await nodeOf(keys, payment))
  assert.deepEqual(await functions.accept([payment], 100), ['accepted'])
  assert.equal(await functions.redrive(letter), 'known')
  const { payments } = await functions.take('worker', AT_DEFAULT, 10)
  assert.equal(await functions.settle('default', payments), 1)
  assert.equal(await functions.redrive(letter), 'known')
  assert.deepEqual(await functions.find(payment.correlationId), { status: 'settled', cents: 1_990, ...AT_DEFAULT })
  assert.equal(await redis.xlen(keys.queue), 0)
})

test('a dead letter that is no payment stops nothing, is not redriven, and can be discarded', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment()
  const made = required(await redis.xadd(keys.deadLetters, '*', 'foo', 'bar'))
  const letter = await deadLetterOf(functions, payment)
  const [first] = await functions.deadLetters(10)
  assert.deepEqual(first, {
    kind: 'malformed',
    letterId: made,
    fields: '["foo","bar"]',
    reason: 'it is no dead letter of the pipeline'
  })
  assert.equal(await functions.redrive({ letterId: made, correlationId: payment.correlationId }), 'malformed')
  assert.equal(await functions.discard(letter.letterId), 'payment')
  assert.equal(await functions.discard(made), 'discarded')
  assert.equal(await functions.discard(made), 'gone')
  assert.equal(await functions.redrive(letter), 'redriven')
})

test('a remembered id takes at most 64 bytes, also at 1,000 a second', async () => {
  const { keys, functions } = await isolate()
  // Of the ids of a day those that end with 000, a 4096th: their nodes are as full as those of all.
  const payments = newPayments(Math.round(86_400_000 / 4_096)).map(({ correlationId, cents: amount }) => ({
    correlationId: `${correlationId.slice(0, 33)}000`,
    cents: amount
  }))
  for (let at = 0; at < payments.length; at += 200) {
    await functions.accept(payments.slice(at, at + 200), 1_000_000)
    const { payments: taken } = await functions.take('worker', AT_DEFAULT, 200)
    await functions.settle('default', taken)
  }
  const usedBytes = async () => Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
  const before = await usedBytes()
  await redis.del(...(await redis.keys(keys.idsPattern)))
  const bytes = (before - (await usedBytes())) / payments.length
  assert(bytes > 40 && bytes <= 64, `${bytes} bytes`)
})
