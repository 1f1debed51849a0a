// Goal: no cent appears or vanishes between JSON, Redis and the summary.
// Method: properties over all amounts, and tables of the spellings at their edges.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { GATEWAY_VARIABLES } from '../../gateway/variables.ts'
import {
  CENTS_MAX,
  centsFromDecimal,
  centsFromDecimalText,
  centsFromDigits,
  decimalFromCents,
  signedDecimalFromCents
} from '../../shared/money.ts'
import { words } from '../support/words.ts'

test('any amount of whole cents survives JSON', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: CENTS_MAX }), whole =>
      assert.equal(centsFromDecimal(JSON.parse(decimalFromCents(whole))), whole)
    )
  )
})

test('more than two decimals is refused, not rounded', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000_000 }), fc.integer({ min: 1, max: 9 }), (whole, third) =>
      assert.equal(centsFromDecimal(Number(`${decimalFromCents(whole)}${third}`)), undefined)
    )
  )
})

test('what is no amount is refused', () => {
  for (const value of [0, -0, -1, -0.01, 0.001, 1e300, 2 ** 60, CENTS_MAX / 100 + 0.01, NaN, Infinity, -Infinity])
    assert.equal(centsFromDecimal(value), undefined, String(value))
  for (const value of ['1', null, undefined, {}, [], true])
    assert.equal(centsFromDecimal(value), undefined, JSON.stringify(value))
})

test('the text of a number is read exactly, however it is spelled', () => {
  const spellings = words('19.9 19.90 19.900 1.99e1 1.99E+1 0.199e2 1990e-2 199000000000000000000e-19 0.00000000199e10')
  for (const text of [...spellings, `19.9${'0'.repeat(500)}`]) assert.equal(centsFromDecimalText(text), 1_990, text)
  for (const text of ['0.01', '1e-2']) assert.equal(centsFromDecimalText(text), 1, text)
  assert.deepEqual(['1', '1e2'].map(centsFromDecimalText), [100, 10_000])
  for (const text of ['1e9', '1000000000.000', `${'1'.padEnd(401, '0')}e-391`])
    assert.equal(centsFromDecimalText(text), CENTS_MAX, text)
})

test('what a double rounds to an amount is none', () => {
  const texts = words(`
    19.9000000000000000001 19.89999999999999999999 0.0099999999999999999999 0.010000000000000000000000001
    1000000000.00000000000000001 1000000000.01 1e-3 1e-400 1e10 1e400 0 0.00 0e5 -1 +1 .5 1. 1e Infinity 0x1`)
  const nines = '9'.repeat(400)
  for (const text of [...texts, `1e${nines}`, `1e-${nines}`, `0e${nines}`, '', '1 ', '1\n'])
    assert.equal(centsFromDecimalText(text), undefined, text)
})

test('the text of a megabyte of zeros is read in no time', () => {
  const zeros = '0'.repeat(1_000_000)
  assert.equal(centsFromDecimalText(`1.${zeros}1`), undefined)
  assert.equal(centsFromDecimalText(`0.${zeros}1e1000001`), 100)
})

test('digits from Redis are read exactly or not at all', () => {
  for (const whole of [1, 1_990, CENTS_MAX]) assert.equal(centsFromDigits(String(whole)), whole)
  const others = words('0 -1 1.5 1e3 01 0x10 999999999999999 12345678901234567890')
  for (const text of [...others, String(CENTS_MAX + 1), '', ' 1', '1\n'])
    assert.equal(centsFromDigits(text), undefined, text)
})

test('decimals are exact beyond the range of doubles', () => {
  const decimals = [0, 5, 123_456_789_012_345_678_901n].map(decimalFromCents)
  assert.deepEqual(decimals, ['0.00', '0.05', '1234567890123456789.01'])
})

test('a difference keeps its sign', () =>
  assert.deepEqual([0n, 5n, -5n, -1_990n].map(signedDecimalFromCents), ['0.00', '0.05', '-0.05', '-19.90']))

test('92 million payments of the maximum fit into what Redis counts in, and 2,900 a second of the default maximum for a year', () => {
  const countMax = 2n ** 63n - 1n
  assert.equal(countMax / BigInt(CENTS_MAX), 92_233_720n)
  const defaultMax = GATEWAY_VARIABLES.maxAmount.parse(GATEWAY_VARIABLES.maxAmount.default)
  assert.equal(countMax / BigInt(defaultMax ?? 0) / (366n * 86_400n), 2_916n)
})
