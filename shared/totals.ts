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
 * the balance: shorter nodes would spend the memory on keys when there is little traffic, longer ones leave the packed form earlier.
 *
 * This file is the pure part: which fields a payment belongs to, and which fields cover a range exactly.
 */

/** One field of the tree. */
export type Cell = { window: string; field: number }

/** The fields first to last of one node, both included. */
export type CellRange = { window: string; first: number; last: number }

/** Times the tree can hold: four-digit years. */
export const TIME_MIN_MS = Date.UTC(1970, 0, 1)
export const TIME_MAX_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

type Level = {
  window: (iso: string) => string
  field: (iso: string) => number
  /** Start of the unit that holds `timeMs`, and of the one after it. */
  floorMs: (timeMs: number) => number
  nextMs: (timeMs: number) => number
}

function calendarLevel(windowLength: number, fieldStart: number, fieldEnd: number, startMs: (date: Date, ahead: 0 | 1) => number): Level {
  return {
    window: iso => iso.slice(0, windowLength),
    field: iso => Number(iso.slice(fieldStart, fieldEnd)),
    floorMs: timeMs => startMs(new Date(timeMs), 0),
    nextMs: timeMs => startMs(new Date(timeMs), 1)
  }
}

function clockLevel(windowLength: number, fieldStart: number, fieldEnd: number, unitMs: number): Level {
  const floorMs = (timeMs: number) => timeMs - (timeMs % unitMs)
  return {
    window: iso => iso.slice(0, windowLength),
    field: iso => Number(iso.slice(fieldStart, fieldEnd)),
    floorMs,
    nextMs: timeMs => floorMs(timeMs) + unitMs
  }
}

const LEVELS: readonly Level[] = [
  calendarLevel(0, 0, 4, (date, ahead) => Date.UTC(date.getUTCFullYear() + ahead, 0)),
  calendarLevel(4, 5, 7, (date, ahead) => Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + ahead)),
  clockLevel(7, 8, 10, 86_400_000),
  clockLevel(10, 11, 13, 3_600_000),
  clockLevel(13, 14, 16, 60_000),
  clockLevel(16, 17, 19, 1_000),
  // The field is what is left of the time behind the window's last digit, without its dot: 0.123 s is 123.
  { ...clockLevel(18, 0, 0, 1), field: iso => Number(iso.slice(18, 19) + iso.slice(20, 23)) }
]

/**
 * What a query reads at most for one processor and measure: a node at either end of each level, of the lowest one the
 * milliseconds of one second or a whole node of up to 512, and one node with a field a year.
 */
export const NODES_READ_MAX = 13
export const FIELDS_READ_MAX = 2 * (12 + 31 + 24 + 60 + 60 + 1_000)

/** The seven fields that a payment of this time adds to, one a level. */
export function cellsOf(timeMs: number): Cell[] {
  const iso = new Date(timeMs).toISOString()
  return LEVELS.map(level => ({ window: level.window(iso), field: level.field(iso) }))
}

/**
 * The fewest fields that together hold each payment of [fromMs, toMs], both included, exactly once. At
 * most `NODES_READ_MAX` nodes, whatever the length of the range or of the history.
 */
export function cellsCovering(fromMs: number, toMs: number): CellRange[] {
  const ranges: CellRange[] = []
  if (fromMs <= toMs) cover(0, fromMs, toMs + 1, ranges)
  return ranges
}

/** Covers [startMs, endMs), which lies within one node of this level. */
function cover(depth: number, startMs: number, endMs: number, ranges: CellRange[]): void {
  const level = LEVELS[depth]
  if (level === undefined) throw new Error('the lowest level covers every range')
  const floorMs = level.floorMs(startMs)
  const wholeStartMs = floorMs === startMs ? startMs : level.nextMs(startMs)
  const wholeEndMs = level.floorMs(endMs)

  if (wholeStartMs > wholeEndMs) {
    // Both ends within the same unit: the level below knows more.
    cover(depth + 1, startMs, endMs, ranges)
    return
  }
  if (startMs < wholeStartMs) cover(depth + 1, startMs, wholeStartMs, ranges)
  if (wholeStartMs < wholeEndMs) {
    const first = new Date(wholeStartMs).toISOString()
    const last = new Date(wholeEndMs - 1).toISOString()
    ranges.push({ window: level.window(first), first: level.field(first), last: level.field(last) })
  }
  if (wholeEndMs < endMs) cover(depth + 1, wholeEndMs, endMs, ranges)
}
