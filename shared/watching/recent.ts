/**
 * Counters only grow; what happened recently is the difference between two copies of them, so that counting itself
 * costs one addition.
 */
export type Counts<K extends string> = Record<K, number>

export function countsSince<K extends string>(later: Counts<K>, earlier: Counts<K>): Counts<K> {
  const difference = { ...later }
  for (const name in difference) difference[name] -= earlier[name]
  return difference
}

export type Sample<T> = { atMs: number; value: T }

/** The last samples of something, taken at intervals, no longer than `keepMs` back. */
export class Recent<T> {
  readonly #keepMs: number
  #samples: Sample<T>[] = []

  constructor(keepMs: number) {
    this.#keepMs = keepMs
  }

  add(value: T, atMs: number): void {
    this.#samples = [...this.#samples.filter(sample => atMs - sample.atMs <= this.#keepMs), { atMs, value }]
  }

  /**
   * The newest sample and the oldest one that is at most `withinMs` older; the same one twice at the start. Undefined
   * before the first.
   */
  span(withinMs: number): { earlier: Sample<T>; later: Sample<T>; seconds: number } | undefined {
    const later = this.#samples.at(-1)
    if (later === undefined) return undefined
    const earlier = this.#samples.find(({ atMs }) => later.atMs - atMs <= withinMs) ?? later
    return { earlier, later, seconds: (later.atMs - earlier.atMs) / 1_000 }
  }
}

/** A count as so many a second; 0 where no time has passed. */
export function perSecond(count: number, seconds: number): number {
  return seconds > 0 ? count / seconds : 0
}
