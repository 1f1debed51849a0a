import type { Schedule } from '../support/contest/schedule.ts'

/** A user posts, waits for the answer, and rests for this long. */
const REST_MS = 1_000
/** What the answer takes. */
const ANSWER_MS = 2

/** When the run is over: the users that have begun rest once more, then the books are read. */
export function endMsOf({ durationMs }: Schedule): number {
  return durationMs + REST_MS + ANSWER_MS
}

/** When payments arrive, in order: users as k6 has them, each beginning as soon as the ramp has reached it. */
export function arrivalTimes({ durationMs, users: { from, to } }: Schedule): Float64Array {
  const times = new Float64Array(Math.ceil((Math.max(from, to) + 1) * (durationMs / (REST_MS + ANSWER_MS) + 2)))
  // All users have the same period, so they stay in the order of their first payments.
  const turns: number[] = Array.from({ length: from }, () => 0)
  const usersAt = (ms: number) => from + ((to - from) * ms) / durationMs
  let [first, count, userCount] = [0, 0, from]
  while (true) {
    const nextUserMs = userCount < to ? ((userCount + 1 - from) / (to - from)) * durationMs : Infinity
    const nextTurnMs = turns[first] ?? Infinity
    const nowMs = Math.min(nextUserMs, nextTurnMs)
    if (nowMs >= durationMs) return times.subarray(0, count)
    if (nextUserMs < nextTurnMs) {
      userCount += 1
    } else {
      first += 1
      // A ramp that goes down sends users home.
      if (turns.length - first + 1 > Math.ceil(usersAt(nowMs))) continue
    }
    turns.push(nowMs + REST_MS + ANSWER_MS)
    times[count++] = nowMs
  }
}
