import { renderTable } from '../../shared/table.ts'
import { count, money } from '../support/numbers.ts'
import { quantile, sum } from '../support/statistics.ts'
import type { Statistics } from './statistics.ts'
import type { RunResult } from './simulate.ts'

/** One run a line. */
export function renderRuns(runs: readonly [name: string, result: RunResult][]): string {
  return renderTable(
    ['policy', 'profit', 'of the ideal', 'default', 'fallback', 'left over', 'settled after p50', 'p99'],
    runs.map(([name, result]) => [
      name,
      money(result.profit),
      percent(result.profit / result.idealProfit),
      count(result.bookedDefault),
      count(result.bookedFallback),
      count(result.leftOver),
      seconds(result.settleMsP50),
      seconds(result.settleMsP99)
    ])
  )
}

/** One policy or setting a line, over many schedules. */
export function renderStatistics(rows: readonly [name: string, statistics: Statistics][]): string {
  const header = [
    'profit by the ideal',
    'worst',
    '5th pct.',
    'median',
    'mean',
    'at fallback',
    'left over',
    'settled after p50',
    'p99'
  ]
  return renderTable(
    header,
    rows.map(([name, { shares, fallbackShare, leftOverShare, settleMsP50, settleMsP99 }]) => [
      name,
      percent(shares[0] ?? NaN),
      percent(quantile(shares, 0.05)),
      percent(quantile(shares, 0.5)),
      percent(sum(shares) / shares.length),
      percent(fallbackShare),
      percent(leftOverShare),
      seconds(settleMsP50),
      seconds(settleMsP99)
    ])
  )
}

/** Cut, not rounded: 98.00 % is never less. */
export function percent(share: number): string {
  return `${(Math.floor(share * 10_000 + 1e-6) / 100).toFixed(2)} %`
}

function seconds(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`
}
