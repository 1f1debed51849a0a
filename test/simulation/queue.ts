import type { Restriction } from '../../processor-worker/routing.ts'

/** Payments by the order of their arrival: from `from` up to, not including, `to`. */
export type Range = { from: number; to: number }

export function countOf(ranges: readonly Range[]): number {
  let count = 0
  for (const { from, to } of ranges) count += to - from
  return count
}

/** Removes the first `count` payments of a list of ranges and returns them. */
export function removeFirst(ranges: Range[], count: number): Range[] {
  const removed: Range[] = []
  let missing = count
  while (missing > 0) {
    const range = ranges[0]
    if (range === undefined) break
    const to = Math.min(range.to, range.from + missing)
    removed.push({ from: range.from, to })
    missing -= to - range.from
    if (to === range.to) ranges.shift()
    else range.from = to
  }
  return removed
}

/** What waits in Redis: refused payments, which come first, and new ones. */
export class WaitingQueue {
  readonly #arrivals: Float64Array
  /** In order of arrival. */
  readonly #refused: Range[] = []
  #refusedCount = 0
  #newFrom = 0
  #newTo = 0
  #nowMs = 0

  /** @param arrivals when each payment arrives, also those to come */
  constructor(arrivals: Float64Array) {
    this.#arrivals = arrivals
  }

  get count(): number {
    return this.#refusedCount + this.#newTo - this.#newFrom
  }

  get arrivedCount(): number {
    return this.#newTo
  }

  /** The payment that arrived first of those that wait. */
  get oldest(): number | undefined {
    return this.count === 0 ? undefined : (this.#refused[0]?.from ?? this.#newFrom)
  }

  /** When the next payment will arrive. */
  get nextArrivalMs(): number {
    return this.#arrivals[this.#newTo] ?? Infinity
  }

  /** Lets in what has arrived by now. */
  advance(nowMs: number): void {
    this.#nowMs = nowMs
    this.#newTo = this.#arrivedBy(nowMs, this.#newTo)
  }

  /** As `take`, in shared/redis/lua/take.lua. */
  take(countMax: number, only?: Restriction): Range[] {
    const acceptedUntilMs = only && 'minAgeMs' in only ? this.#nowMs - only.minAgeMs : Infinity
    const leaveCount = only && 'leaveCount' in only ? only.leaveCount : 0
    let wanted = Math.min(countMax, this.count - leaveCount)
    const taken: Range[] = []
    while (wanted > 0) {
      const range = this.#refused[0] ?? { from: this.#newFrom, to: this.#newTo }
      const mayGo = this.#arrivedBy(acceptedUntilMs, range.from, Math.min(range.to, range.from + wanted))
      if (mayGo === range.from) break
      taken.push({ from: range.from, to: mayGo })
      wanted -= mayGo - range.from
      if (this.#refused.length === 0) {
        this.#newFrom = mayGo
      } else {
        this.#refusedCount -= mayGo - range.from
        if (mayGo === range.to) this.#refused.shift()
        else range.from = mayGo
      }
    }
    return taken
  }

  release(ranges: readonly Range[]): void {
    for (const range of ranges) {
      let place = this.#refused.length
      while (place > 0 && (this.#refused[place - 1]?.from ?? 0) > range.from) place -= 1
      const before = this.#refused[place - 1]
      if (before?.to === range.from) before.to = range.to
      else this.#refused.splice(place, 0, { ...range })
      this.#refusedCount += range.to - range.from
    }
  }

  /** The first payment from `start` on, up to `end`, that arrives after a time. */
  #arrivedBy(ms: number, start: number, end = this.#arrivals.length): number {
    if (ms === Infinity) return end
    let place = start
    while (place < end && (this.#arrivals[place] ?? Infinity) <= ms) place += 1
    return place
  }
}
