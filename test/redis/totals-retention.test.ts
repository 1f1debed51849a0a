// Goal: the levels of the totals below the minute are forgotten after the retention, and nobody is ever told a sum that
// lacks something.
// Method: a real redis-server; payments of known times are settled, the retention is swept at chosen
// times, sums are compared with naive ones.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createTotalsRetention } from '../../processor-worker/totals-retention.ts'
import type { Keys } from '../../shared/keys.ts'
import type { Functions } from '../../shared/redis/functions.ts'
import { newPayments, required } from '../support/payments.ts'
import { startTestRedis } from '../support/redis.ts'
import { acceptAndTake } from '../support/taken.ts'

const { redis, isolate } = await startTestRedis()

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const NOW_MS = Date.parse('2026-11-25T13:05:30.500Z')

const minuteOf = (timeMs: number) => Math.floor(timeMs / MINUTE_MS) * MINUTE_MS

/** Settles a payment of 10.00 at default for each time, and of 1.00 at fallback. */
async function settleAt(functions: Functions, timesMs: readonly number[]): Promise<void> {
  for (const [processor, amount] of [
    ['default', 1_000],
    ['fallback', 100]
  ] as const) {
    const choice = { processor, requestedAtMs: 0 }
    const payments = await acceptAndTake(functions, newPayments(timesMs.length, amount), 'worker', choice)
    const booked = payments.map((payment, index) => ({ ...payment, requestedAtMs: required(timesMs[index]) }))
    await functions.settle(processor, booked)
  }
}

/** What was settled at default in a range; or since when sums are exact. */
async function requestsIn(functions: Functions, fromMs: number, toMs: number): Promise<bigint | string> {
  const sums = await functions.sum({ fromMs, toMs })
  return sums.kind === 'sums' ? sums.totals.default.requests : sums.exactSince
}

async function sweepAll(keys: Keys, functions: Functions, retentionHours: number, nowMs = NOW_MS): Promise<string> {
  const retention = createTotalsRetention({ redis, keys, functions, retentionHours })
  let before
  do {
    before = await redis.get(keys.totalsExactSince)
    await retention.sweep(nowMs)
  } while (before !== (await redis.get(keys.totalsExactSince)))
  return before ?? ''
}

/** Windows of the nodes below the minute. */
async function fineWindows(keys: Keys): Promise<string[]> {
  const root = `${keys.totals('default', 'requests', '')}:`
  return (await redis.keys(`${root}*`))
    .map(key => key.slice(root.length))
    .filter(window => window.length >= 16)
    .sort()
}

test('what is older than the retention is exact to the minute, what is not to the millisecond', async () => {
  const { keys, functions } = await isolate()
  const [old, recent] = [NOW_MS - 25 * HOUR_MS, NOW_MS - 23 * HOUR_MS]
  await settleAt(functions, [old, old + 1, recent])
  assert.equal(await sweepAll(keys, functions, 24), '2026-11-24T13:05:00.000Z')
  assert.deepEqual(await fineWindows(keys), ['2026-11-24T14:05', '2026-11-24T14:05:3'])

  const minute = minuteOf(old)
  for (const [fromMs, toMs, requests] of [
    [minute, minute + MINUTE_MS - 1, 2n],
    [minute, NOW_MS, 3n],
    [0, recent, 3n],
    [recent, recent, 1n],
    [recent + 1, NOW_MS, 0n],
    [minute + 1, NOW_MS, '2026-11-24T13:05:00.000Z'],
    [old, old, '2026-11-24T13:05:00.000Z'],
    [0, old, '2026-11-24T13:05:00.000Z'],
    [minute, minute + MINUTE_MS, '2026-11-24T13:05:00.000Z']
  ] as const)
    assert.equal(await requestsIn(functions, fromMs, toMs), requests)
})

test('a payment that is settled long after it was sent is counted on each level that remembers it', async () => {
  const { keys, functions } = await isolate()
  const old = NOW_MS - 30 * HOUR_MS
  await settleAt(functions, [old, NOW_MS])
  await sweepAll(keys, functions, 24)
  const before = await fineWindows(keys)
  await settleAt(functions, [old, old + 1])
  assert.deepEqual(await fineWindows(keys), before)
  assert.deepEqual((await functions.sumOfAll()).default, { requests: 4n, cents: 4_000n })
  const sums = await functions.sum({ fromMs: minuteOf(old), toMs: minuteOf(old) + MINUTE_MS - 1 })
  assert(sums.kind === 'sums')
  assert.deepEqual(sums.totals.fallback, { requests: 3n, cents: 300n })
})

test('a retention that is changed never brings back what was forgotten, and workers of two retentions go by the shorter', async () => {
  const { keys, functions } = await isolate()
  await settleAt(functions, [NOW_MS - 30 * HOUR_MS, NOW_MS - 5 * HOUR_MS, NOW_MS])
  await sweepAll(keys, functions, 48)
  assert.equal((await fineWindows(keys)).length, 6)
  assert.equal(await sweepAll(keys, functions, 2), '2026-11-25T11:05:00.000Z')
  assert.equal(await sweepAll(keys, functions, 48), '2026-11-25T11:05:00.000Z')
  await Promise.all([sweepAll(keys, functions, 24), sweepAll(keys, functions, 1), sweepAll(keys, functions, 2)])
  assert.equal(await redis.get(keys.totalsExactSince), '2026-11-25T12:05:00.000Z')
  assert.equal((await fineWindows(keys)).length, 2)
})

test('a purge makes everything exact again', async () => {
  const { keys, functions } = await isolate()
  const old = NOW_MS - 30 * HOUR_MS
  await settleAt(functions, [old, NOW_MS])
  await sweepAll(keys, functions, 24)
  await functions.purge()
  assert.equal(await redis.get(keys.totalsExactSince), null)
  assert.deepEqual(await redis.keys(keys.totalsPattern), [])
  await settleAt(functions, [old])
  assert.equal(await requestsIn(functions, old, old), 1n)
})

test('any sum is right or says since when it would be, whatever was settled and swept in which order', async () => {
  const time = fc.integer({ min: 0, max: 100 * HOUR_MS }).map(ago => NOW_MS - ago)
  const step = fc.oneof(
    fc.record({ settle: fc.array(time, { minLength: 1, maxLength: 4 }) }),
    fc.record({ sweepHours: fc.integer({ min: 1, max: 90 }) }),
    fc.record({ from: time, to: time, isWhole: fc.boolean() })
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async steps => {
      const { keys, functions } = await isolate()
      const settled: number[] = []
      for (const each of steps) {
        if ('settle' in each) {
          await settleAt(functions, each.settle)
          settled.push(...each.settle)
        } else if ('sweepHours' in each) await sweepAll(keys, functions, each.sweepHours)
        else {
          const whole = (timeMs: number) => (each.isWhole ? minuteOf(timeMs) : timeMs)
          const [first, last] = [Math.min(each.from, each.to), Math.max(each.from, each.to)]
          const [fromMs, toMs] = [whole(first), whole(last + MINUTE_MS) - 1]
          const told = await requestsIn(functions, fromMs, toMs)
          if (typeof told === 'string') assert(!each.isWhole && Math.min(fromMs, toMs) < Date.parse(told))
          else assert.equal(told, BigInt(settled.filter(timeMs => timeMs >= fromMs && timeMs <= toMs).length))
        }
      }
      assert.equal((await functions.sumOfAll()).default.requests, BigInt(settled.length))
    }),
    { numRuns: 60 }
  )
})
