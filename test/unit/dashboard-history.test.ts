// Goal: the live page's charts begin with the last five minutes, however often the status was made meanwhile.
// Method: statuses at times of the test.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHistory, HISTORY_MS } from '../../gateway/watching/dashboard/history.ts'

function timesKept(timesMs: readonly number[]): number[] {
  const history = createHistory()
  for (const atMs of timesMs) history.add([atMs, 1, 2, 3, 4, 5, 6, 0])
  return history.points().map(([atMs]) => atMs)
}
const upTo = (untilMs: number, everyMs: number) =>
  Array.from({ length: untilMs / everyMs + 1 }, (_, index) => index * everyMs)

test('keeps five minutes, both ends included', () => {
  const times = timesKept(upTo(3_600_000, 5_000))
  assert.deepEqual(
    times,
    upTo(HISTORY_MS, 5_000).map(atMs => 3_600_000 - HISTORY_MS + atMs)
  )
})

test('keeps one of a second, also when the status is asked for more often', () => {
  const times = timesKept(upTo(HISTORY_MS, 100))
  for (const [index, atMs] of times.slice(1).entries()) assert(atMs - (times[index] ?? 0) >= 900, String(atMs))
  assert(times.length <= HISTORY_MS / 900 + 1 && times.length >= HISTORY_MS / 1_100)
})

test('a status that came 60 ms early is kept', () => assert.equal(timesKept([0, 1_000, 1_940, 3_000]).length, 4))

test('begins anew after a long pause', () => assert.deepEqual(timesKept([0, HISTORY_MS + 1]), [HISTORY_MS + 1]))
