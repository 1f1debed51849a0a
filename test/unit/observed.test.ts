// Goal: a processor counts as slow for what it does itself, for as long as that lasts.
// Method: a processor that has one payment a tick and answers each after so long, by a clock of the test.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Observed } from '../../processor-worker/observed.ts'

const LIMITS = { failuresMax: 1, openMs: 100, ownWordMs: 1_000 }
const TICK_MS = 20

function latencyAt(observed: Observed, nowMs: number): number {
  observed.tick(nowMs)
  return observed.facts().latencyMs
}

/** The latency at the end, looked at each tick. */
function latencyAfter(stretches: [lastsMs: number, answersAfterMs: number][], observed = new Observed(LIMITS)): number {
  const awaited: { sentAtMs: number; answerAtMs: number }[] = []
  let nowMs = 1_000_000
  let latencyMs = 0
  for (const [lastsMs, answersAfterMs] of stretches) {
    for (const endMs = nowMs + lastsMs; nowMs < endMs; nowMs += TICK_MS) {
      observed.sent(1, nowMs)
      awaited.push({ sentAtMs: nowMs, answerAtMs: nowMs + answersAfterMs })
      for (let first = awaited[0]; first !== undefined && first.answerAtMs <= nowMs; first = awaited[0]) {
        awaited.shift()
        observed.answered(1, first.sentAtMs, true, nowMs)
        observed.finished(1)
      }
      latencyMs = latencyAt(observed, nowMs)
    }
  }
  return latencyMs
}

test('one that is slow for long is as slow as it is, before its first answer as well', () => {
  const latencyMs = latencyAfter([[30_000, 500]])
  assert(latencyMs > 480 && latencyMs <= 520, String(latencyMs))
  const silentMs = latencyAfter([[5_000, 60_000]])
  assert(silentMs > 2_900 && silentMs <= 4_000, String(silentMs))
})

test('a stall of less than a second is no evidence, whoever had it', () => {
  const stretches: [number, number][] = [
    [10_000, 0],
    [900, 1_000]
  ]
  assert(latencyAfter(stretches) <= TICK_MS)
  // The whole worker stood still: nothing was looked at, and then everything is late.
  const observed = new Observed(LIMITS)
  latencyAfter([[10_000, 0]], observed)
  observed.sent(1, 1_010_000)
  assert.equal(latencyAt(observed, 1_015_000), 0)
})

test('what it took before it came back is forgotten', () => {
  const observed = new Observed(LIMITS)
  latencyAfter([[10_000, 800]], observed)
  observed.note({ kind: 'failure', count: 1, sentAtMs: 1_010_000 }, 1_010_000)
  assert(latencyAt(observed, 1_010_020) > 700)
  observed.note({ kind: 'success' }, 1_010_040)
  for (let agoMs = TICK_MS; agoMs < 3_000; agoMs += TICK_MS) assert.equal(latencyAt(observed, 1_010_040 + agoMs), 0)
})
