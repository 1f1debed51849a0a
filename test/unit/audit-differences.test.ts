// Goal: the deep audit objects to every way in which one payment can be wrong, and to nothing else.
// Method: what we and the processors have of one payment.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { differenceOf, type PaymentFacts } from '../../processor-worker/commands/audit-differences.ts'

const BOOKED = { cents: 1_990, requestedAtMs: 5 }
const difference = (ours: PaymentFacts['ours'], byDefault?: typeof BOOKED, byFallback?: typeof BOOKED) =>
  differenceOf({ correlationId: 'id', ours, theirs: { default: byDefault, fallback: byFallback } })
const OURS = { processor: 'default', ...BOOKED } as const

test('equal books', () => {
  assert.equal(difference(OURS, BOOKED), undefined)
  assert.equal(difference(undefined), undefined)
  // Booked a moment ago, not counted yet.
  assert.equal(difference(undefined, undefined, BOOKED), undefined)
})

test('every way to differ', () => {
  assert.equal(difference(OURS, BOOKED, BOOKED), 'booked at both processors')
  assert.equal(difference(undefined, BOOKED, BOOKED), 'booked at both processors')
  assert.equal(difference(OURS), 'counted at default, booked nowhere')
  assert.equal(difference(OURS, undefined, BOOKED), 'counted at default, booked at fallback')
  assert.equal(difference(OURS, { ...BOOKED, cents: 1_991 }), 'counted with 1990 cents, booked with 1991')
  assert.match(difference(OURS, { ...BOOKED, requestedAtMs: 6 }) ?? '', /counted at .*\.005Z, booked at .*\.006Z/)
})
