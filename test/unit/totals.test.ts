// Goal: the fields that cover a range hold each payment of the range exactly once, and no other, less what is taken
// off. Method: random payments and ranges, the ends of ranges often on or beside a payment or a calendar edge; compared
// with a naive count. The tree is kept in a Map here; test/redis/totals.test.ts does the same in Redis.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  cellsCovering,
  cellsOf,
  FIELDS_READ_MAX,
  NODES_READ_MAX,
  TIME_MAX_MS,
  TIME_MIN_MS
} from '../../shared/totals.ts'
import { momentMs, rangeNear } from '../support/times.ts'

function countInTree(timesMs: readonly number[], fromMs: number, toMs: number): number {
  const tree = new Map<string, number>()
  for (const timeMs of timesMs) {
    for (const { window, field } of cellsOf(timeMs))
      tree.set(`${window} ${field}`, (tree.get(`${window} ${field}`) ?? 0) + 1)
  }
  let count = 0
  for (const { window, first, last, sign } of cellsCovering(fromMs, toMs)) {
    for (let field = first; field <= last; field++) count += sign * (tree.get(`${window} ${field}`) ?? 0)
  }
  return count
}

test('a range counts what a naive count does', () => {
  fc.assert(
    fc.property(fc.array(momentMs, { maxLength: 30 }), fc.nat(), fc.nat(), (timesMs, a, b) => {
      const [fromMs, toMs] = rangeNear(timesMs, a, b)
      const expected = timesMs.filter(timeMs => timeMs >= fromMs && timeMs <= toMs).length
      assert.equal(countInTree(timesMs, fromMs, toMs), expected)
    }),
    { numRuns: 500 }
  )
})

test('a range never reads more nodes and fields than it says, nor a field twice', () => {
  const anyMs = fc.oneof(momentMs, fc.integer({ min: TIME_MIN_MS, max: TIME_MAX_MS }))
  fc.assert(
    fc.property(anyMs, anyMs, (a, b) => {
      const ranges = cellsCovering(Math.min(a, b), Math.max(a, b))
      assert(ranges.length <= NODES_READ_MAX, `${ranges.length} nodes`)
      assert.equal(new Set(ranges.map(range => `${range.window} ${range.first}`)).size, ranges.length)
      for (const { first, last } of ranges) assert(first <= last)
      const belowYears = ranges.filter(({ window }) => window !== '')
      const fieldCount = belowYears.reduce((sum, { first, last }) => sum + last - first + 1, 0)
      assert(fieldCount <= FIELDS_READ_MAX, `${fieldCount} fields`)
    }),
    { numRuns: 5_000 }
  )
})

test('what is nearly a whole unit is the unit without its rest', () => {
  const at = (iso: string) => Date.parse(iso)
  assert.deepEqual(cellsCovering(at('2026-01-01T00:00:00.000Z'), at('2026-03-30T23:59:59.999Z')), [
    { window: '2026-03', first: 31, last: 31, sign: -1 },
    { window: '2026', first: 1, last: 3, sign: 1 }
  ])
  assert.deepEqual(cellsCovering(at('2026-03-01T00:00:00.001Z'), at('2026-03-31T23:59:59.999Z')), [
    { window: '2026-03-01T00:00:0', first: 0, last: 0, sign: -1 },
    { window: '2026', first: 3, last: 3, sign: 1 }
  ])
})

test('whole units are read as one field each', () => {
  const at = (iso: string) => Date.parse(iso)
  assert.deepEqual(cellsCovering(at('2026-01-01T00:00:00.000Z'), at('2026-12-31T23:59:59.999Z')), [
    { window: '', first: 2026, last: 2026, sign: 1 }
  ])
  assert.deepEqual(cellsCovering(at('2026-02-01T00:00:00.000Z'), at('2026-02-28T23:59:59.999Z')), [
    { window: '2026', first: 2, last: 2, sign: 1 }
  ])
  assert.deepEqual(cellsCovering(at('2026-03-01T12:00:00.001Z'), at('2026-03-01T12:00:00.001Z')), [
    { window: '2026-03-01T12:00:0', first: 1, last: 1, sign: 1 }
  ])
  assert.deepEqual(cellsCovering(5, 4), [])
})

test('all time is covered', () => {
  const timesMs = [TIME_MIN_MS, TIME_MAX_MS, Date.UTC(2026, 10, 21)]
  assert.equal(countInTree(timesMs, TIME_MIN_MS, TIME_MAX_MS), 3)
})
