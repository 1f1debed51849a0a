// Goal: each Redis function keeps what its header in shared/redis/lua promises.
// Method: a real redis-server; each test has keys of its own. A Redis that is full, or has lost the functions:
// test/faults/redis.test.ts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WORKER_GROUP } from '../../shared/keys.ts'
import { replyErrorCode } from '../../shared/redis/errors.ts'
import { holdLease } from '../../shared/redis/lease.ts'
import { callFunction, LIBRARY_VERSION, loadLibrary } from '../../shared/redis/library.ts'
import { cents, newPayment, newPayments, required } from '../support/payments.ts'
import { startTestRedis } from '../support/redis.ts'
import { acceptAndTake, AT_DEFAULT, takeOne } from '../support/taken.ts'

const { redis, isolate } = await startTestRedis()

const AT_FALLBACK = { processor: 'fallback', requestedAtMs: AT_DEFAULT.requestedAtMs + 1 } as const
const NOTHING = { requests: 0n, cents: 0n }
const first = <T>(list: readonly T[]): T => required(list[0])
const entryIdsOf = (payments: readonly { entryId: string }[]) => payments.map(({ entryId }) => entryId)

test('accept appends in order and stops at the limit', async () => {
  const { keys, functions } = await isolate()
  const payments = newPayments(5)
  assert.deepEqual(await functions.accept(payments.slice(0, 3), 4), ['accepted', 'accepted', 'accepted'])
  assert.deepEqual(await functions.accept(payments.slice(3), 4), ['accepted', 'full'])
  assert.deepEqual(await functions.accept([newPayment()], 4), ['full'])
  const { payments: taken } = await functions.take('worker', AT_DEFAULT, 10)
  const ids = (list: readonly { correlationId: string }[]) => list.map(({ correlationId }) => correlationId)
  assert.deepEqual(ids(taken), ids(payments.slice(0, 4)))
  assert.equal(await redis.xlen(keys.queue), 4)
})

test('take records the choice in the same step and hands out each payment once', async () => {
  const { keys, functions } = await isolate()
  const payment = newPayment(1_234)
  await functions.accept([payment], 100)
  const { payments, more } = await functions.take('worker', AT_DEFAULT, 10)
  const { entryId } = first(payments)
  const record = 'default 2026-11-21T07:48:20.123Z worker #1'
  assert.deepEqual(
    payments.map(taken => ({ ...taken })),
    [{ ...payment, ...AT_DEFAULT, entryId, record }]
  )
  assert.deepEqual(more, { kind: 'none', newestEntryId: entryId })
  assert.equal(await redis.hget(keys.inFlight, entryId), record)
  assert.deepEqual((await functions.take('other', AT_FALLBACK, 10)).payments, [])
})

test('take says whether there may be more', async () => {
  const { functions } = await isolate()
  const more = async () => (await functions.take('worker', AT_DEFAULT, 2)).more
  assert.deepEqual(await more(), { kind: 'none', newestEntryId: '0-0' })
  await functions.accept(newPayments(3), 100)
  assert.equal((await more()).kind, 'maybe')
  assert.equal((await more()).kind, 'none')
})

test('take leaves payments that were accepted too late', async () => {
  const { keys, functions } = await isolate()
  const nowMs = Date.now()
  const entryIds = [`${nowMs - 60_000}-0`, `${nowMs - 40_000}-0`, `${nowMs - 40_000}-1`, `${nowMs - 20_000}-0`]
  for (const entryId of entryIds)
    await redis.xadd(keys.queue, entryId, 'correlationId', newPayment().correlationId, 'cents', '100')
  const taken = async (minAgeMs: number, countMax: number) =>
    entryIdsOf((await functions.take('worker', AT_FALLBACK, countMax, { minAgeMs })).payments)
  assert.deepEqual(await taken(90_000, 10), [])
  assert.deepEqual(await taken(30_000, 2), entryIds.slice(0, 2))
  assert.deepEqual(await taken(30_000, 10), [entryIds[2]])
  assert.deepEqual(await taken(10_000, 10), [entryIds[3]])
})

test('take leaves as many as it is told to, and says how many wait', async () => {
  const { functions } = await isolate()
  await functions.accept(newPayments(10), 100)
  const take = async (countMax: number, leaveCount: number) => {
    const { payments, waitingCount } = await functions.take('worker', AT_FALLBACK, countMax, { leaveCount })
    return [payments.length, waitingCount]
  }
  assert.deepEqual(await take(2, 7), [2, 8])
  assert.deepEqual(await take(10, 7), [1, 7])
  assert.deepEqual(await take(10, 7), [0, 7])
  // What was refused waits as well, and goes first.
  const { payments: refused, waitingCount } = await functions.take('worker', AT_DEFAULT, 1)
  assert.equal(waitingCount, 6)
  assert.equal(await functions.release(refused), 1)
  assert.deepEqual(await take(10, 6), [1, 6])
  assert.deepEqual(await take(10, 0), [6, 0])
})

test('settle counts a payment once, whoever asks, and removes it everywhere', async () => {
  const { keys, functions } = await isolate()
  const payments = await acceptAndTake(functions, newPayments(4, 250))
  assert.equal(await functions.settle('default', payments.slice(1, 3)), 2)
  assert.equal(await functions.settle('default', payments), 2, 'the rest of a batch')
  assert.equal(await functions.settle('default', payments), 0)
  assert.deepEqual(await functions.sumOfAll(), { default: { requests: 4n, cents: 1_000n }, fallback: NOTHING })
  assert.deepEqual([await redis.xlen(keys.queue), await redis.exists(keys.inFlight)], [0, 0])
  assert.equal((await redis.xpending(keys.queue, WORKER_GROUP))[0], 0)
})

test('settle counts at the time and amount the processor stored', async () => {
  const { functions } = await isolate()
  const [taken] = await acceptAndTake(functions, [newPayment(100)])
  await functions.settle('default', [{ ...required(taken), cents: cents(101), requestedAtMs: 5_000 }])
  const sums = await functions.sum({ fromMs: 5_000, toMs: 5_000 })
  assert(sums.kind === 'sums')
  assert.deepEqual(sums.totals.default, { requests: 1n, cents: 101n })
})

for (const [what, processor, times, code] of [
  ['at another processor than the one on record', 'fallback', 1, 'WRONGPROCESSOR'],
  ['with the same payment twice', 'default', 2, 'REPEATED']
] as const) {
  test(`settle ${what} is refused and changes nothing`, async () => {
    const { functions } = await isolate()
    const payments = await acceptAndTake(functions, newPayments(1))
    const batch = Array.from({ length: times }, () => first(payments))
    await assert.rejects(functions.settle(processor, batch), error => replyErrorCode(error) === code)
    assert.deepEqual(await functions.sumOfAll(), { default: NOTHING, fallback: NOTHING })
    assert.equal(await functions.settle('default', payments), 1)
  })
}

test('a released payment is free for any worker and either processor, before newer ones', async () => {
  const { keys, functions } = await isolate()
  await functions.accept(newPayments(2), 100)
  const refused = await takeOne(functions, 'worker-a')
  assert.equal(await functions.release([refused]), 1)
  assert.equal(await redis.hexists(keys.inFlight, refused.entryId), 0)

  const { payments } = await functions.take('worker-b', AT_FALLBACK, 10)
  const { entryId, processor } = first(payments)
  assert.deepEqual([payments.length, entryId, processor], [2, refused.entryId, 'fallback'])
  // The refusal arrives again, for example after a lost reply: the new choice stands.
  assert.equal(await functions.release([refused]), 0)
  assert.match((await redis.hget(keys.inFlight, entryId)) ?? '', /^fallback /)
})

test('a reclaimed payment stays at its processor: its former worker can settle it, but not release or bury it', async () => {
  const { keys, functions } = await isolate()
  const frozen = await acceptAndTake(functions, newPayments(2), 'worker-a')
  const { payments: reclaimed } = await functions.reclaim('worker-b', await functions.pending('worker-a', 10))
  const told = ({ correlationId, record }: (typeof frozen)[0]) => ({ correlationId, record })
  const unresolved = frozen.map(payment => told({ ...payment, record: `${payment.record} unresolved` }))
  assert.deepEqual(reclaimed.map(told), unresolved)

  assert.equal(await functions.release(frozen), 0)
  assert.equal(await functions.bury(first(frozen), 'status 400'), false)
  assert.deepEqual((await functions.take('worker-c', AT_FALLBACK, 10)).payments, [])
  // Taken over twice, it says "unresolved" once.
  const { payments: again } = await functions.reclaim('worker-c', [first(frozen).entryId])
  assert.equal(first(again).record, first(reclaimed).record)

  assert.equal(await functions.settle('default', frozen), 2)
  assert.equal(await functions.settle('default', reclaimed), 0)
  assert.deepEqual((await functions.reclaim('worker-d', entryIdsOf(frozen))).payments, [])
  assert.equal(await redis.exists(keys.inFlight), 0)
})

test('bury moves a payment to the dead letters with what is needed to judge it', async () => {
  const { keys, functions } = await isolate()
  await functions.accept([newPayment(777)], 100)
  const refused = await takeOne(functions)
  assert.equal(await functions.bury(refused, 'status 400'), false, 'the other processor was not asked')
  const last = required(await functions.passOn(refused, 'worker', AT_FALLBACK))
  assert.equal(await functions.passOn(refused, 'worker', AT_FALLBACK), undefined, 'once')
  assert.equal(last.record, 'fallback 2026-11-21T07:48:20.124Z worker #2 last')
  assert.equal(await functions.release([refused]), 0, 'a late refusal frees nothing')
  assert.equal(await functions.bury(last, 'status 400'), true)
  assert.equal(await functions.bury(last, 'status 400'), false)
  const letters = await redis.xrange(keys.deadLetters, '-', '+')
  const payment = ['correlationId', refused.correlationId, 'cents', '777', 'accepted', refused.entryId]
  assert.deepEqual(
    letters.map(([, fields]) => fields),
    [[...payment, 'attempt', last.record, 'reason', 'status 400']]
  )
  assert.equal(await redis.xlen(keys.queue), 0)
  assert.equal(await functions.settle('default', [refused]), 0)
})

test('a heartbeat finds the workers that have none, and only a worker without payments is forgotten', async () => {
  const { keys, functions } = await isolate()
  const payments = await acceptAndTake(functions, newPayments(1), 'dead')
  await functions.beat('late', 60_000)
  const beat = async () => {
    const { pendingCount, workerCount, deadWorkers } = await functions.beat('alive', 60_000)
    return { pendingCount, workerCount, deadWorkers: deadWorkers.sort() }
  }
  assert.deepEqual(await beat(), { pendingCount: 0, workerCount: 2, deadWorkers: ['dead'] })
  await redis.zadd(keys.workers, 1, 'late')
  assert.deepEqual((await beat()).deadWorkers, ['dead', 'late'])

  assert.equal(await functions.retire('dead'), false)
  await functions.reclaim('alive', entryIdsOf(payments))
  assert.deepEqual(await beat(), { pendingCount: 1, workerCount: 1, deadWorkers: ['dead', 'late'] })
  assert.equal(await functions.retire('dead'), true)
  assert.deepEqual((await beat()).deadWorkers, ['late'])
})

test('payments that nobody owns are no dead worker', async () => {
  const { functions } = await isolate()
  await functions.release(await acceptAndTake(functions, newPayments(1)))
  assert.deepEqual((await functions.beat('worker', 60_000)).deadWorkers, [])
})

test('a lease has one holder until it expires', async () => {
  const { keys } = await isolate()
  const hold = (holder: string) => holdLease(redis, keys.healthMonitor, holder, 60_000)
  assert.deepEqual([await hold('a'), await hold('b'), await hold('a')], [true, false, true])
  assert((await redis.pttl(keys.healthMonitor)) > 0)
  await redis.del(keys.healthMonitor)
  assert.equal(await hold('b'), true)
})

test('libraries of two versions live side by side', async () => {
  const older = `#!lua name=payments_older\nredis.register_function('accept_older', function() return 'older' end)`
  await redis.call('FUNCTION', 'LOAD', older)
  await loadLibrary(redis)
  const libraries = JSON.stringify(await redis.call('FUNCTION', 'LIST', 'LIBRARYNAME', 'payments_*'))
  assert(libraries.includes('payments_older') && libraries.includes(`payments_${LIBRARY_VERSION}`))
})

test('an unknown function stays an error', async () => {
  await assert.rejects(callFunction(redis, 'no_such_function', [], []), /not found/i)
})
