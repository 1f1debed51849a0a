// Goal: the live page's charts begin with the last five minutes, however often the status was made meanwhile.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHistory, HISTORY_MS, type Point } from '../../gateway/watching/dashboard/history.ts'

function pointAt(atMs: number): Point {
  return [atMs, 1, 2, 3, 4, 5, 6, 0]
}

function timesOf(everyMs: number, untilMs: number): number[] {
  const history = createHistory()
  for (let atMs = 0; atMs <= untilMs; atMs += everyMs) history.add(pointAt(atMs))
  return history.points().map(([atMs]) => atMs)
}

test('keeps five minutes, both ends included', () => {
  const times = timesOf(5_000, 3_600_000)
  assert.deepEqual([times[0], times.at(-1), times.length], [3_600_000 - HISTORY_MS, 3_600_000, HISTORY_MS / 5_000 + 1])
})

test('keeps one of a second, also when the status is asked for more often', () => {
  const times = timesOf(100, HISTORY_MS)
  times.slice(1).forEach((atMs, index) => {
    assert(atMs - (times[index] ?? 0) >= 900, `${String(times[index])} and ${atMs}`)
  })
  assert(times.length <= HISTORY_MS / 900 + 1 && times.length >= HISTORY_MS / 1_100)
})

test('a status that came 60 ms early is kept', () => {
  const history = createHistory()
  for (const atMs of [0, 1_000, 1_940, 3_000]) history.add(pointAt(atMs))
  assert.equal(history.points().length, 4)
})

test('begins anew after a long pause', () => {
  const history = createHistory()
  history.add(pointAt(0))
  history.add(pointAt(HISTORY_MS + 1))
  assert.deepEqual(
    history.points().map(([atMs]) => atMs),
    [HISTORY_MS + 1]
  )
})
