// Goal: dates are read to the millisecond or refused by name; sums are printed exactly.
// Method: a property over all times, tables of what is none.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseRange, parseTime, renderSummary } from '../../gateway/summary.ts'
import { words } from '../support/words.ts'

test('every millisecond is read back', () => {
  const time = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true })
  fc.assert(fc.property(time, date => assert.equal(parseTime(date.toISOString()), date.getTime())))
  assert.equal(parseTime('2026-07-01T12:00:00Z'), Date.UTC(2026, 6, 1, 12))
  assert.equal(parseTime('2026-07-01T12:00:00.5Z'), Date.UTC(2026, 6, 1, 12, 0, 0, 500))
})

test('what is no time is refused', () => {
  for (const text of words(`
    yesterday 1751371200000 2026-07-01 2026-07-01T12:00:00 2026-07-01T12:00:00.000+02:00 2026-07-01t12:00:00.000z
    2026-02-30T00:00:00.000Z 2026-13-01T00:00:00.000Z 2026-07-01T24:00:00.001Z 2026-07-01T12:60:00.000Z
    2026-07-01T12:00:00.0001Z 1969-12-31T23:59:59.999Z`))
    assert.equal(parseTime(text), undefined, text)
  assert.equal(parseTime(' '), undefined)
})

test('a range has open ends where a bound is missing, and a bad bound is named', () => {
  const [four, five] = ['1970-01-01T00:00:00.004Z', '1970-01-01T00:00:00.005Z']
  assert.deepEqual(parseRange(undefined, undefined), { range: {} })
  assert.deepEqual(parseRange('', five), { range: { toMs: 5 } })
  assert.deepEqual(parseRange(five, five), { range: { fromMs: 5, toMs: 5 } })
  for (const [from, to, field] of [
    ['x', undefined, 'from'],
    [five, 'x', 'to'],
    [five, four, 'from']
  ] as const) {
    const parsed = parseRange(from, to)
    assert.equal('problem' in parsed && parsed.problem.field, field)
  }
})

test('the body is JSON with exact decimals', () => {
  assert.equal(
    renderSummary({
      default: { requests: 3n, cents: 5_970n },
      fallback: { requests: 0n, cents: 123_456_789_012_345_678_901n }
    }),
    '{"default":{"totalRequests":3,"totalAmount":59.70},"fallback":{"totalRequests":0,"totalAmount":1234567890123456789.01}}'
  )
})
