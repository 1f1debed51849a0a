// The arithmetic of the benchmarks. Pure.

/**
 * The smallest value that at least this share of all values does not exceed; NaN without values. @param sorted
 * ascending
 */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN
}

export function median(values: readonly number[]): number {
  const sorted = ascending(values)
  const middle = sorted.length / 2
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2
}

export function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b)
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

const BUCKETS_PER_E = 100

/**
 * All values to 1 %, as [upper bound, count] pairs: what a result keeps of a few hundred thousand latencies. @param
 * sorted ascending
 */
export function histogram(sorted: readonly number[]): [number, number][] {
  const buckets: [number, number][] = []
  for (const value of sorted) {
    const upper = value <= 1 ? 1 : Math.round(Math.exp(Math.ceil(Math.log(value) * BUCKETS_PER_E) / BUCKETS_PER_E))
    const last = buckets.at(-1)
    if (last?.[0] === upper) last[1] += 1
    else buckets.push([upper, 1])
  }
  return buckets
}

/** "1.20 (1.10 to 1.45)"; a single value alone. */
export function medianAndRange(values: readonly number[], digits: number): string {
  const text = (value: number) => value.toFixed(digits)
  const range = values.length === 1 ? '' : ` (${text(Math.min(...values))} to ${text(Math.max(...values))})`
  return `${text(median(values))}${range}`
}
