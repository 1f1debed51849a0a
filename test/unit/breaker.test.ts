// Goal: a breaker opens after failures in a row, lets probes through at its pace, and closes on the first sign of life.
// Method: events one after another; and any sequence of them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CLOSED, isProbeDue, step, type Breaker, type BreakerEvent } from '../../processor-worker/breaker.ts'

const LIMITS = { failuresMax: 3, openMs: 100, ownWordMs: 1_000 }
const NOW_MS = 10_000
const SUCCESS = { kind: 'success' } as const
const PROBE_SENT = { kind: 'probe-sent' } as const
const SAID_FAILING = { kind: 'published-failing' } as const
const SAID_WELL = { kind: 'published-well' } as const
const failure = (count = 1, sentAtMs = NOW_MS - 5) => ({ kind: 'failure', count, sentAtMs }) as const
const after = (events: readonly BreakerEvent[], start: Breaker = CLOSED, nowMs = NOW_MS) =>
  events.reduce((breaker, event) => step(breaker, event, nowMs, LIMITS), start)

const OPEN = after([failure(3)])

test('opens at the third failure in a row, not at the third in all', () => {
  assert.equal(after([failure(), failure()]).state, 'closed')
  assert.deepEqual(OPEN, { state: 'open', sinceMs: NOW_MS, probedAtMs: NOW_MS, failedSentAtMs: NOW_MS - 5 })
  assert.deepEqual(after([failure(), failure(), failure()]), OPEN)
  assert.equal(after([failure(), failure(), SUCCESS, failure(), failure()]).state, 'closed')
})

test('a probe is due each openMs, answered or not', () => {
  const isDue = (breaker: Breaker, afterMs: number) => isProbeDue(breaker, NOW_MS + afterMs, LIMITS)
  assert.deepEqual([isDue(OPEN, 99), isDue(OPEN, 100), isDue(CLOSED, 100)], [false, true, false])
  const probed = after([PROBE_SENT], OPEN, NOW_MS + 130)
  assert.deepEqual([isDue(probed, 229), isDue(probed, 230)], [false, true])
})

test('any success closes it, and any failure only tells how new the bad news is', () => {
  const closed = { state: 'closed', failureCount: 0, sinceMs: NOW_MS + 7, succeededAtMs: NOW_MS + 7 }
  assert.deepEqual(after([SUCCESS], OPEN, NOW_MS + 7), closed)
  assert.deepEqual(after([failure(1, NOW_MS - 50)], OPEN, NOW_MS + 7), OPEN)
  assert.deepEqual(after([failure(1, NOW_MS + 3)], OPEN, NOW_MS + 7), { ...OPEN, failedSentAtMs: NOW_MS + 3 })
})

test('the published health opens it unless it has seen better itself, or makes a probe due, but never closes it', () => {
  assert.equal(after([SAID_FAILING]).state, 'open')
  const busy = after([SUCCESS])
  assert.equal(after([SAID_FAILING], busy, NOW_MS + 999), busy)
  assert.equal(after([SAID_FAILING], busy, NOW_MS + 1_000).state, 'open')
  assert.equal(after([SAID_FAILING], OPEN), OPEN)
  const well = after([SAID_WELL], OPEN)
  assert.equal(well.state, 'open')
  assert(isProbeDue(well, NOW_MS, LIMITS))
  assert.deepEqual(after([SAID_WELL]), CLOSED)
})

test('no sequence of events leaves it without a way back', () => {
  const event = fc.constantFrom<BreakerEvent>(SUCCESS, failure(), failure(800), PROBE_SENT, SAID_FAILING, SAID_WELL)
  fc.assert(
    fc.property(fc.array(event), events => {
      assert.equal(after([...events, SUCCESS]).state, 'closed')
      const breaker = after([...events, failure(), failure(), failure()])
      assert.equal(breaker.state, 'open')
      assert(isProbeDue(breaker, NOW_MS + LIMITS.openMs, LIMITS))
    })
  )
})
