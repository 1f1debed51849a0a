// Goal: no cent appears or vanishes between JSON, Redis and the summary.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { centsFromDecimal, centsFromDigits, decimalFromCents, signedDecimalFromCents } from '../../shared/money.ts'

test('any amount of whole cents survives JSON', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 100_000_000_000 }), whole => {
    assert.equal(centsFromDecimal(JSON.parse(decimalFromCents(whole))), whole)
  }))
})

test('more than two decimals is refused, not rounded', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 1_000_000_000 }), fc.integer({ min: 1, max: 9 }), (whole, third) => {
    assert.equal(centsFromDecimal(Number(`${decimalFromCents(whole)}${third}`)), undefined)
  }))
})

test('what is no amount is refused', () => {
  for (const value of [0, -0, -1, -0.01, NaN, Infinity, -Infinity, 0.001, 1e300, 2 ** 60, '1', null, undefined, {}, [], true]) {
    assert.equal(centsFromDecimal(value), undefined, JSON.stringify(value))
  }
})

test('digits from Redis are read exactly or not at all', () => {
  assert.equal(centsFromDigits('1990'), 1990)
  for (const text of ['', '-1', '1.5', '1e3', ' 1', '0x10', '12345678901234567890']) assert.equal(centsFromDigits(text), undefined, text)
})

test('decimals are exact beyond the range of doubles', () => {
  assert.equal(decimalFromCents(0), '0.00')
  assert.equal(decimalFromCents(5), '0.05')
  assert.equal(decimalFromCents(123_456_789_012_345_678_901n), '1234567890123456789.01')
})

test('a difference keeps its sign', () => {
  assert.deepEqual([0n, 5n, -5n, -1_990n].map(signedDecimalFromCents), ['0.00', '0.05', '-0.05', '-19.90'])
})
