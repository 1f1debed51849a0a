// Goal: every id has one place a period, and what is written about it is read back.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { createIdPeriods, parseIdRecord, settledIdRecord } from '../../shared/id-memory.ts'
import { renderTable } from '../../shared/table.ts'

const periods = createIdPeriods(24)

test('the place of an id is readable and loses no digit', () => {
  const period = periods.at(Date.parse('2026-11-21T07:48:20.123Z'))
  assert.deepEqual(periods.place('4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3', period), {
    node: '2026-11-21T00:0b3', field: '4a7901b87d264d9daa194dc1c7cf6'
  })
  for (let count = 0; count < 100; count++) {
    const id = randomUUID()
    const { node, field } = periods.place(id, period)
    assert.equal(field + node.slice(-3), id.replaceAll('-', ''))
  }
})

test('periods follow one another without a gap', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 8_760 }), fc.integer({ min: 0, max: 4_000_000_000_000 }), (hours, timeMs) => {
    const { at, lengthMs } = createIdPeriods(hours)
    assert.equal(at(timeMs + lengthMs), at(timeMs) + 1)
    assert(at(timeMs) * lengthMs <= timeMs && timeMs < (at(timeMs) + 1) * lengthMs)
  }))
})

test('what is written about an id is read back', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 1e11 }), fc.constantFrom('default' as const, 'fallback' as const), fc.integer({ min: 0, max: 1e14 }), (cents, processor, requestedAtMs) => {
    assert.deepEqual(parseIdRecord(settledIdRecord(cents, processor, requestedAtMs)), { state: 'settled', cents, processor, requestedAtMs })
  }))
  assert.deepEqual(parseIdRecord('1990 1795247300123-0'), { state: 'unsettled', cents: 1_990 })
  assert.deepEqual(parseIdRecord('1990 dead-letter'), { state: 'dead-letter', cents: 1_990 })
  for (const record of ['', '1990', '1990 x5', '1990 d', 'd5', '1990 d5 ', '-1 d5']) assert.throws(() => parseIdRecord(record), record)
})

test('a table is aligned', () => {
  assert.equal(renderTable(['processor', 'payments'], [['default', '3'], ['fallback', '12345']]), [
    'processor  payments',
    'default           3',
    'fallback      12345'
  ].join('\n'))
})
