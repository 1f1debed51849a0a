/**
 * The totals are a tree by time, one hash a node, and the name of a node is the beginning of the ISO time
 * that it covers:
 *
 *   window                 its fields                       example (for 2026-11-21T07:48:20.123Z)
 *   ''                     years                            2026
 *   2026                   months, 1 to 12                  11
 *   2026-11                days, 1 to 31                    21
 *   2026-11-21             hours, 0 to 23                   7
 *   2026-11-21T07          minutes, 0 to 59                 48
 *   2026-11-21T07:48       seconds, 0 to 59                 20
 *   2026-11-21T07:48:2     milliseconds of the ten seconds  123     (0 to 9999)
 *
 * A settled payment adds to one field of each level. Fields are plain numbers because Redis packs small
 * hashes of numbers into a few bytes a field: a settled payment costs 25 bytes at 4 payments/s and 17 at 50, but 122
 * at 500, where the lowest nodes have too many fields to be packed (test/bench/redis-memory.ts). Ten seconds a node is
 * the balance: shorter nodes would spend the memory on keys when there is little traffic, longer ones leave the packed
 * form earlier.
 *
 * This file is the pure part: which fields a payment belongs to, and which fields cover a range exactly.
 */

/** One field of the tree. */
export type Cell = { window: string; field: number }

/** The fields first to last of one node, both included: to be added up, or to be taken off. */
export type CellRange = { window: string; first: number; last: number; sign: 1 | -1 }

/**
 * The levels below the minute. They hold nearly all of what the totals need, and forget it after
 * TOTALS_RETENTION_HOURS: a range whose ends are whole minutes is exact for ever.
 */
export function isFine(window: string): boolean {
  return window.length >= FINE_WINDOW_LENGTH
}

const FINE_WINDOW_LENGTH = 16
/** The name of a node whose fields are minutes has so much of the ISO time. */
export const HOURS_WINDOW_LENGTH = 13

/** The nodes below a minute: its seconds, and the milliseconds of each of its six tens of seconds. */
export function fineWindowsOfMinute(minuteMs: number): string[] {
  const minute = new Date(minuteMs).toISOString().slice(0, FINE_WINDOW_LENGTH)
  return [minute, ...[0, 1, 2, 3, 4, 5].map(ten => `${minute}:${ten}`)]
}

/**
 * The first minute that has something in it, by following the first field of each level; undefined where there is none.
 *
 * @param fieldsOf the fields of a node that has this window
 */
export async function firstMinuteBelow(
  fieldsOf: (window: string) => Promise<readonly number[]>
): Promise<number | undefined> {
  let window = ''
  for (const before of ['', '-', '-', 'T', ':']) {
    const fields = await fieldsOf(window)
    if (fields.length === 0) return undefined
    window += `${before}${String(Math.min(...fields)).padStart(2, '0')}`
  }
  return Date.parse(`${window}:00.000Z`)
}

/** Times the tree can hold: four-digit years. */
export const TIME_MIN_MS = Date.UTC(1970, 0, 1)
export const TIME_MAX_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

type Level = {
  /** A node's name is so much of the ISO time. */
  windowLength: number
  field: (date: Date) => number
  /** Of the fields that lie in one unit of the level above, the first and the last. */
  bounds: (date: Date) => [first: number, last: number]
}

const tenSecondsMs = (date: Date) => date.getTime() % 10_000

const LEVELS: readonly Level[] = [
  { windowLength: 0, field: date => date.getUTCFullYear(), bounds: () => [1970, 9999] },
  { windowLength: 4, field: date => date.getUTCMonth() + 1, bounds: () => [1, 12] },
  {
    windowLength: 7,
    field: date => date.getUTCDate(),
    bounds: date => [1, new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()]
  },
  { windowLength: 10, field: date => date.getUTCHours(), bounds: () => [0, 23] },
  { windowLength: 13, field: date => date.getUTCMinutes(), bounds: () => [0, 59] },
  { windowLength: 16, field: date => date.getUTCSeconds(), bounds: () => [0, 59] },
  // A node of ten seconds holds ten units of the level above.
  {
    windowLength: 18,
    field: tenSecondsMs,
    bounds: date => {
      const secondStart = tenSecondsMs(date) - date.getUTCMilliseconds()
      return [secondStart, secondStart + 999]
    }
  }
]

/**
 * What a query reads at most for one processor and measure: one node where its ends part, and below that one at either
 * end of each level.
 */
export const NODES_READ_MAX = 13
/** In the levels below the years; of a unit, the shorter side of its end. */
export const FIELDS_READ_MAX = 2 * (6 + 15 + 12 + 30 + 30 + 500)

type Moment = { date: Date; fields: number[]; windows: string[] }

function momentOf(timeMs: number): Moment {
  const date = new Date(timeMs)
  const iso = date.toISOString()
  return {
    date,
    fields: LEVELS.map(level => level.field(date)),
    windows: LEVELS.map(({ windowLength }) => iso.slice(0, windowLength))
  }
}

/** The seven fields that a payment of this time adds to, one a level. */
export function cellsOf(timeMs: number): Cell[] {
  const { fields, windows } = momentOf(timeMs)
  return windows.map((window, depth) => ({ window, field: fields[depth] ?? NaN }))
}

/**
 * Fields that together hold each payment of [fromMs, toMs] exactly once, both included, where what is to be taken off
 * holds it once less. At most `NODES_READ_MAX` nodes, whatever the length of the range or of the history.
 */
export function cellsCovering(fromMs: number, toMs: number): CellRange[] {
  if (fromMs > toMs) return []
  const [from, end] = [momentOf(fromMs), momentOf(toMs + 1)]
  const parting = LEVELS.findIndex((_, depth) => from.fields[depth] !== end.fields[depth])

  // What lies between the units of both ends, and the beginning of the last unit without that of the first.
  const ranges: CellRange[] = []
  const isFirstTakenOff = coverBeginning(from, parting + 1, -1, ranges)
  const isLastAdded = coverBeginning(end, parting + 1, 1, ranges)
  const first = (from.fields[parting] ?? NaN) + (isFirstTakenOff ? 1 : 0)
  const last = (end.fields[parting] ?? NaN) - (isLastAdded ? 0 : 1)
  add({ window: from.windows[parting] ?? '', first, last, sign: 1 }, ranges)
  return ranges
}

/**
 * Covers the time from the beginning of the unit above `depth` until the moment, by the fields before it; or, where
 * those after it are fewer, by the whole unit without them.
 *
 * @returns true where the unit as a whole is still to be counted, one level higher
 */
function coverBeginning(moment: Moment, depth: number, sign: 1 | -1, ranges: CellRange[]): boolean {
  const [level, window, field = NaN] = [LEVELS[depth], moment.windows[depth] ?? '', moment.fields[depth]]
  if (level === undefined) return false
  const isOwnUnitBefore = coverBeginning(moment, depth + 1, sign, ranges)
  const [first, last] = level.bounds(moment.date)
  const [before, after] = isOwnUnitBefore ? [field, field + 1] : [field - 1, field]
  const isRestShorter = last - after < before - first
  if (isRestShorter) add({ window, first: after, last, sign: sign === 1 ? -1 : 1 }, ranges)
  else add({ window, first, last: before, sign }, ranges)
  return isRestShorter
}

function add(range: CellRange, ranges: CellRange[]): void {
  if (range.first <= range.last) ranges.push(range)
}
