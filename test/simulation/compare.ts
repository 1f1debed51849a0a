import { renderTable } from '../../shared/table.ts'
import type { RunResult } from './simulate.ts'

/** By this share of all payments simulation and reality may differ at each processor. */
export const TOLERANCE = 0.02

/** What a real run counted; the fields of `npm run contest -- --json` that are compared. */
export type RealRun = { asked: number; settledDefault: number; settledFallback: number }

/** @throws Error that names the field which is missing */
export function parseRealRun(given: unknown): RealRun {
  const field = (name: keyof RealRun) => {
    const value = typeof given === 'object' && given !== null ? (given as Record<string, unknown>)[name] : undefined
    if (typeof value !== 'number')
      throw new Error(`the result has no ${name}: it wants the line of npm run contest -- --json`)
    return value
  }
  return { asked: field('asked'), settledDefault: field('settledDefault'), settledFallback: field('settledFallback') }
}

/** Payments per processor side by side, and how much they differ, as shares of all payments that were asked for. */
export function compare(simulated: RunResult, real: RealRun): { differences: number[]; table: string } {
  const rows = [
    ['asked', simulated.asked, real.asked],
    ['default', simulated.bookedDefault, real.settledDefault],
    ['fallback', simulated.bookedFallback, real.settledFallback]
  ] as const
  const differences = rows.map(([, one, other]) => Math.abs(one - other) / real.asked)
  const table = renderTable(
    ['payments', 'simulated', 'real', 'difference'],
    rows.map(([name, one, other], index) => [
      name,
      String(one),
      String(other),
      `${(100 * (differences[index] ?? 0)).toFixed(2)} %`
    ])
  )
  return { differences, table }
}
