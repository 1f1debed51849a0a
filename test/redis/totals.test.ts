// Goal: the summary equals a naive sum, for any payments and any range, at the edges too and at any size of a node.
// Method: random batches are settled into a real Redis; random ranges are summed there and naively.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ProcessorName } from '../../shared/payment.ts'
import type { Functions } from '../../shared/redis/functions.ts'
import type { TimeRange } from '../../shared/redis/totals.ts'
import { cents, newPayments, required } from '../support/payments.ts'
import { startTestRedis } from '../support/redis.ts'
import { momentMs, rangeNear } from '../support/times.ts'

const { redis, isolate } = await startTestRedis()

type Booking = { processor: ProcessorName; timeMs: number; amount: number }

async function book(functions: Functions, bookings: readonly Booking[]): Promise<void> {
  await functions.accept(newPayments(bookings.length), 1_000_000)
  for (const processor of ['default', 'fallback'] as const) {
    const own = bookings.filter(booking => booking.processor === processor)
    for (let at = 0; at < own.length; at += 200) {
      const part = own.slice(at, at + 200)
      const { payments } = await functions.take('worker', { processor, requestedAtMs: 0 }, part.length)
      const booked = part.map(({ timeMs, amount }, index) => {
        return { ...required(payments[index]), requestedAtMs: timeMs, cents: cents(amount) }
      })
      assert.equal(await functions.settle(processor, booked), part.length)
    }
  }
}

async function sumOf(functions: Functions, range: TimeRange) {
  const sums = await functions.sum(range)
  assert(sums.kind === 'sums', 'nothing is forgotten here')
  return sums.totals
}

function naiveSum(bookings: readonly Booking[], fromMs: number, toMs: number) {
  const of = (processor: ProcessorName) => {
    const own = bookings.filter(({ processor: at, timeMs }) => at === processor && timeMs >= fromMs && timeMs <= toMs)
    return { requests: BigInt(own.length), cents: own.reduce((sum, { amount }) => sum + BigInt(amount), 0n) }
  }
  return { default: of('default'), fallback: of('fallback') }
}

test('any range over any bookings', async () => {
  const booking = fc.record({
    processor: fc.constantFrom('default' as const, 'fallback' as const),
    timeMs: momentMs,
    amount: fc.integer({ min: 1, max: 100_000_000_000 })
  })
  const list = fc.array(booking, { maxLength: 40 })
  const ranges = fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(list, ranges, async (bookings, seeds) => {
      const { functions } = await isolate()
      await book(functions, bookings)
      const timesMs = bookings.map(({ timeMs }) => timeMs)
      for (const [a, b] of seeds) {
        const [fromMs, toMs] = rangeNear(timesMs, a, b)
        assert.deepEqual(await sumOf(functions, { fromMs, toMs }), naiveSum(bookings, fromMs, toMs))
        assert.deepEqual(await sumOf(functions, { fromMs }), naiveSum(bookings, fromMs, Infinity))
        assert.deepEqual(await sumOf(functions, { toMs }), naiveSum(bookings, -Infinity, toMs))
      }
      assert.deepEqual(await functions.sumOfAll(), naiveSum(bookings, -Infinity, Infinity))
    }),
    { numRuns: 150 }
  )
})

test('a node with thousands of milliseconds, which Redis no longer packs', async () => {
  const { keys, functions } = await isolate()
  const startMs = Date.parse('2026-11-21T07:48:20.000Z')
  const bookings = Array.from({ length: 3_000 }, (_, index): Booking => ({
    processor: 'default',
    timeMs: startMs + index * 3,
    amount: index + 1
  }))
  await book(functions, bookings)
  assert.equal(await redis.object('ENCODING', keys.totals('default', 'cents', '2026-11-21T07:48:2')), 'hashtable')
  for (const [from, to] of [
    [0, 8_999],
    [1, 8_997],
    [2_999, 3_000],
    [3_001, 3_001],
    [499, 7_001]
  ] as const) {
    const [fromMs, toMs] = [startMs + from, startMs + to]
    assert.deepEqual(await sumOf(functions, { fromMs, toMs }), naiveSum(bookings, fromMs, toMs))
  }
})

test('sums are exact beyond the range of doubles, and just below a billion, at it and above', async () => {
  for (const [years, sum] of [
    [{ 2024: '9007199254740993', 2025: '9223372036854775807' }, 9_007_199_254_740_993n + 9_223_372_036_854_775_807n],
    [{ 2023: '999999999', 2024: '1000000000', 2025: '1000000001', 2026: '1' }, 3_000_000_001n]
  ] as const) {
    const { keys, functions } = await isolate()
    await redis.hset(keys.totals('fallback', 'cents', ''), years)
    assert.equal((await functions.sumOfAll()).fallback.cents, sum)
  }
})

test('books of which somebody has deleted a part are not negative', async () => {
  const { keys, functions } = await isolate()
  const bookedAtMs = Date.parse('2026-11-21T07:48:20.999Z')
  await book(functions, [{ processor: 'default', timeMs: bookedAtMs, amount: 1_990 }])
  // The range is the year less the millisecond.
  await redis.del(keys.totals('default', 'requests', ''), keys.totals('default', 'cents', ''))
  const range = { fromMs: Date.parse('2025-11-21T07:48:20.000Z'), toMs: bookedAtMs - 1 }
  assert.deepEqual((await sumOf(functions, range)).default, { requests: 0n, cents: 0n })
})

test('totals are readable: the name of a key is the beginning of the time it holds', async () => {
  const { keys, functions } = await isolate()
  await book(functions, [{ processor: 'fallback', timeMs: Date.parse('2026-11-21T07:48:20.123Z'), amount: 1_990 }])
  const read = (window: string) => redis.hgetall(keys.totals('fallback', 'cents', window))
  assert.deepEqual(await read(''), { 2026: '1990' })
  assert.deepEqual(await read('2026-11-21'), { 7: '1990' })
  assert.deepEqual(await read('2026-11-21T07:48:2'), { 123: '1990' })
  assert.deepEqual(await redis.hgetall(keys.totals('fallback', 'requests', '2026')), { 11: '1' })
})
