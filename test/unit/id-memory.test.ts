// Goal: every id has one place a period, and what is written about it is read back.
// Method: properties over any ids, times and retentions, and what stands in Redis, spelled out.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  digitsAt,
  digitsOf,
  isUuid,
  parseIdRecord,
  parseNodeName,
  periodFrom,
  periodOfNodes,
  settledIdRecord,
  uuidOf
} from '../../shared/id-memory.ts'
import { renderTable } from '../../shared/table.ts'

const HOUR_MS = 3_600_000

test('an id is read back from its place', () => {
  const digits = digitsOf('4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3')
  assert.equal(digits, '4a7901b87d264d9daa194dc1c7cf60b3')
  for (let count = 0; count < 100; count++) {
    const id = randomUUID()
    for (const length of [3, 4, 5]) {
      const node = `{payments}:ids:2026-11-21T00:${digitsOf(id).slice(-length)}`
      assert.equal(uuidOf(digitsAt(node, digitsOf(id).slice(0, 29))), id)
      assert(isUuid(id) && !isUuid(digitsOf(id)) && !isUuid(id.toUpperCase().replaceAll(/\d/g, 'A')))
    }
  }
})

test('the name of a node tells its period and digits', () => {
  for (const period of ['2026-11-21T00', '2026-11-21T07:48:20.123Z'])
    assert.deepEqual(parseNodeName(`${period}:60b3`), { period, digits: '60b3' })
})

test('a period is named by its start, to the hour where it is a whole one', () => {
  const nowMs = Date.parse('2026-11-21T07:48:20.123Z')
  const [startMs = 0, endMs = 0, forgottenMs = 0] = [21, 22, 23].map(day => Date.parse(`2026-11-${day}T00:00Z`))
  const aligned = { name: '2026-11-21T00', startMs, endMs, forgottenMs }
  assert.deepEqual(periodFrom(nowMs, 0, 24), aligned)
  // A period of an hour began at 07:00: one that remembers for longer can't begin before that.
  const later = { ...aligned, name: '2026-11-21T07:48:20.123Z', startMs: nowMs }
  assert.deepEqual(periodFrom(nowMs, Date.parse('2026-11-21T07:00Z'), 24), later)
  // As version 0.1 had it.
  assert.deepEqual(periodOfNodes(aligned.name, aligned.forgottenMs), aligned)
})

test('a period begins after the newest one, holds now, and is remembered for as long as was asked', () => {
  const retention = fc.integer({ min: 1, max: 8_760 })
  const time = fc.integer({ min: 0, max: 4_000_000_000_000 })
  const newest = fc.integer({ min: -400 * 24 * HOUR_MS, max: HOUR_MS })
  fc.assert(
    fc.property(retention, time, newest, (hours, nowMs, newestMs) => {
      const newestStartMs = Math.max(0, nowMs + newestMs)
      const { startMs, endMs, forgottenMs } = periodFrom(nowMs, newestStartMs, hours)
      assert(startMs > newestStartMs || (startMs === 0 && newestStartMs === 0))
      assert(endMs > nowMs && endMs > startMs && endMs % (hours * HOUR_MS) === 0)
      assert.equal(forgottenMs - endMs, hours * HOUR_MS)
    })
  )
})

test('what is written about an id is read back', () => {
  const settled = fc.record({
    state: fc.constant('settled'),
    cents: fc.integer({ min: 1, max: 1e11 }),
    processor: fc.constantFrom('default' as const, 'fallback' as const),
    requestedAtMs: fc.integer({ min: 0, max: 1e14 })
  })
  fc.assert(
    fc.property(settled, record => {
      const { cents, processor, requestedAtMs } = record
      assert.deepEqual(parseIdRecord(settledIdRecord(cents, processor, requestedAtMs)), { ...record })
    })
  )
  assert.deepEqual(parseIdRecord('1990 1795247300123-0'), { state: 'unsettled', cents: 1_990 })
  assert.deepEqual(parseIdRecord('1990 dead-letter'), { state: 'dead-letter', cents: 1_990 })
  for (const record of ['', '1990', '1990 x5', '1990 d', 'd5', '1990 d5 ', '-1 d5'])
    assert.throws(() => parseIdRecord(record), record)
})

test('a table is aligned', () => {
  const [head = [], ...rows] = ['processor payments', 'default 3', 'fallback 12345'].map(line => line.split(' '))
  const lines = ['processor  payments', 'default           3', 'fallback      12345']
  assert.equal(renderTable(head, rows), lines.join('\n'))
})
