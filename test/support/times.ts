import fc from 'fast-check'

const START_MS = Date.UTC(2025, 11, 31, 23, 59, 50)

/**
 * Moments that often share a node of the totals or stand on its edge: seconds, minutes, hours, days, months and years
 * apart.
 */
export const momentMs: fc.Arbitrary<number> = fc
  .tuple(
    fc.constantFrom(0, 1, 10, 59, 60),
    fc.constantFrom(1_000, 60_000, 3_600_000, 86_400_000, 31 * 86_400_000, 366 * 86_400_000),
    fc.oneof(fc.constantFrom(-1, 0, 1, 999, 1_000), fc.integer({ min: 0, max: 20_000 }))
  )
  .map(([count, unitMs, offsetMs]) => START_MS + count * unitMs + offsetMs)

/** An inclusive range whose ends lie on, just before or just after moments of the list. */
export function rangeNear(timesMs: readonly number[], a: number, b: number): [fromMs: number, toMs: number] {
  const near = (seed: number) => (timesMs[seed % Math.max(timesMs.length, 1)] ?? START_MS) + ((seed >>> 8) % 3) - 1
  const [first, second] = [near(a), near(b)]
  return [Math.min(first, second), Math.max(first, second)]
}
