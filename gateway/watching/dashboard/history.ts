import type { Status } from '../status/status.ts'

/**
 * What the charts of the live page show of one moment. Null where nothing was known: a gap in the line.
 *
 * As an array, in this order, because 300 of them travel to each page that is opened.
 */
export type Point = [
  atMs: number,
  acceptedPerSecond: number | null,
  settledPerSecondByDefault: number | null,
  settledPerSecondByFallback: number | null,
  waiting: number | null,
  acceptP50Ms: number | null,
  acceptP99Ms: number | null,
  /** Whether something was wrong. */
  isTroubled: 0 | 1
]

/** How far the charts reach back. */
export const HISTORY_MS = 300_000
/**
 * Closer points would only make one line thicker. The statuses of a second of watching come a little early at times.
 */
const APART_MS = 900

export function pointOf(
  { isCurrent, problems, acceptedPerSecond, processors, queue, accepting: { latency } }: Status,
  atMs: number
): Point {
  const isTroubled = problems.length > 0 ? 1 : 0
  if (!isCurrent) return [atMs, null, null, null, null, null, null, isTroubled]
  return [
    atMs,
    acceptedPerSecond,
    processors.default.settledPerSecond,
    processors.fallback.settledPerSecond,
    queue.waiting,
    latency.p50Ms,
    latency.p99Ms,
    isTroubled
  ]
}

export type History = {
  add: (point: Point) => void
  /** Those of the last minutes, oldest first. */
  points: () => readonly Point[]
}

export function createHistory(): History {
  const points: Point[] = []
  return {
    add(point) {
      const [atMs] = point
      const last = points.at(-1)
      if (last !== undefined && atMs - last[0] < APART_MS) return
      points.push(point)
      const keptFrom = points.findIndex(each => atMs - each[0] <= HISTORY_MS)
      points.splice(0, keptFrom)
    },
    points: () => points
  }
}
