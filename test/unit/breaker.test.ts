// Goal: a breaker opens after failures in a row, lets one probe through at a time, and closes on the first sign of life.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CLOSED, isProbeDue, step, type Breaker, type BreakerEvent } from '../../processor-worker/breaker.ts'

const LIMITS = { failuresMax: 3, openMs: 100 }
const after = (events: readonly BreakerEvent[], start: Breaker = CLOSED, nowMs = 1_000) =>
  events.reduce((breaker, event) => step(breaker, event, nowMs, LIMITS), start)

test('opens at the third failure in a row, not at the third in all', () => {
  assert.equal(after(['failure', 'failure']).state, 'closed')
  assert.deepEqual(after(['failure', 'failure', 'failure']), { state: 'open', openedAtMs: 1_000 })
  assert.equal(after(['failure', 'failure', 'success', 'failure', 'failure']).state, 'closed')
})

test('a probe is due after openMs, and one at a time', () => {
  const open = after(['failure', 'failure', 'failure'])
  assert.equal(isProbeDue(open, 1_099, LIMITS), false)
  assert.equal(isProbeDue(open, 1_100, LIMITS), true)
  assert.equal(isProbeDue(after(['probe-sent'], open), 9_999, LIMITS), false)
})

test('the probe decides', () => {
  const halfOpen: Breaker = { state: 'half-open' }
  assert.deepEqual(after(['success'], halfOpen), CLOSED)
  assert.deepEqual(after(['failure'], halfOpen, 5_000), { state: 'open', openedAtMs: 5_000 })
})

test('answers to what was sent before it opened do not keep it open for longer', () => {
  assert.deepEqual(after(['failure', 'failure'], { state: 'open', openedAtMs: 1_000 }, 1_090), { state: 'open', openedAtMs: 1_000 })
})

test('the published health opens it, or makes a probe due, but never closes it', () => {
  assert.deepEqual(after(['published-failing']), { state: 'open', openedAtMs: 1_000 })
  const well = after(['published-well'], { state: 'open', openedAtMs: 999 }, 1_000)
  assert.equal(well.state, 'open')
  assert(isProbeDue(well, 1_000, LIMITS))
  assert.deepEqual(after(['published-well']), CLOSED)
  assert.deepEqual(after(['published-failing'], { state: 'half-open' }), { state: 'half-open' })
})

test('no sequence of events leaves it without a way back', () => {
  const event = fc.constantFrom<BreakerEvent>('success', 'failure', 'probe-sent', 'published-failing', 'published-well')
  fc.assert(fc.property(fc.array(event), events => {
    assert.deepEqual(after([...events, 'success']), CLOSED)
    const breaker = after([...events, 'failure', 'failure', 'failure'])
    assert.equal(breaker.state, 'open')
    assert(isProbeDue(breaker, 1_000 + LIMITS.openMs, LIMITS))
  }))
})
