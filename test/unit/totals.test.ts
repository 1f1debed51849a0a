// Goal: the fields that cover a range hold each payment of the range exactly once, and no other, less what is taken
// off.
// Method: random payments and ranges, the ends of ranges often on or beside a payment or a calendar edge; compared with
// a naive count. The tree is kept in a Map here; test/redis/totals.test.ts does the same in Redis.
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
    for (const { window, field } of cellsOf(timeMs)) {
      const name = `${window} ${field}`
      tree.set(name, (tree.get(name) ?? 0) + 1)
    }
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

test('whole units are read as one field each, and what is nearly one as the unit without its rest', () => {
  for (const [from, to, ...cells] of [
    ['2026-01-01T00:00:00.000Z', '2026-12-31T23:59:59.999Z', ['', 2026, 2026, 1]],
    ['2026-02-01T00:00:00.000Z', '2026-02-28T23:59:59.999Z', ['2026', 2, 2, 1]],
    ['2026-03-01T12:00:00.001Z', '2026-03-01T12:00:00.001Z', ['2026-03-01T12:00:0', 1, 1, 1]],
    ['2026-01-01T00:00:00.000Z', '2026-03-30T23:59:59.999Z', ['2026-03', 31, 31, -1], ['2026', 1, 3, 1]],
    ['2026-03-01T00:00:00.001Z', '2026-03-31T23:59:59.999Z', ['2026-03-01T00:00:0', 0, 0, -1], ['2026', 3, 3, 1]],
    ['1970-01-01T00:00:00.005Z', '1970-01-01T00:00:00.004Z']
  ] as const) {
    const expected = cells.map(([window, first, last, sign]) => ({ window, first, last, sign }))
    assert.deepEqual(cellsCovering(Date.parse(from), Date.parse(to)), expected, `${from} to ${to}`)
  }
})

test('all time is covered', () => {
  const timesMs = [TIME_MIN_MS, TIME_MAX_MS, Date.UTC(2026, 10, 21)]
  assert.equal(countInTree(timesMs, TIME_MIN_MS, TIME_MAX_MS), 3)
})
