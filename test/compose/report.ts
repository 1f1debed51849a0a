import { median, sum } from '../support/statistics.ts'
import { count, money } from '../support/numbers.ts'
import type { Run } from '../support/contest/run.ts'
import { renderTable } from '../../shared/table.ts'
import type { Usage } from './watch.ts'

/** One line a container, and their sum. */
export function renderUsage(usages: readonly Usage[]): string {
  const all = (of: (usage: Usage) => number) => sum(usages.map(of))
  const rows = usages.map(({ service, limits, cpuSeconds, throttledSeconds, memoryPeakBytes, restarts, oomKills }) => [
    service,
    cpuSeconds.toFixed(2),
    throttledSeconds.toFixed(2),
    limits.cpus.toFixed(2),
    megabytes(memoryPeakBytes),
    megabytes(limits.memoryBytes),
    percent(memoryPeakBytes / limits.memoryBytes),
    oomKills > 0 ? `KILLED FOR MEMORY ${oomKills}x` : restarts > 0 ? `restarted ${restarts}x` : ''
  ])
  rows.push([
    'all',
    all(each => each.cpuSeconds).toFixed(2),
    all(each => each.throttledSeconds).toFixed(2),
    all(each => each.limits.cpus).toFixed(2),
    megabytes(all(each => each.memoryPeakBytes)),
    megabytes(all(each => each.limits.memoryBytes)),
    '',
    ''
  ])
  const header = ['container', 'CPU s', 'throttled s', 'CPU limit', 'peak MB', 'limit MB', 'used', '']
  return indented(renderTable(header, rows))
}

/** One line a run, and their medians. */
export function renderRuns(runs: readonly (Run & { usages: readonly Usage[] | undefined })[]): string {
  const columns: [string, (run: (typeof runs)[number]) => number, (value: number) => string][] = [
    ['p99 ms', ({ result }) => result.p99Ms ?? NaN, value => value.toFixed(2)],
    ['profit', ({ result }) => result.profit, money],
    ['of ideal', ({ result }) => result.profit / result.idealProfit, value => percent(value, 2)],
    ['bonus %', ({ result }) => result.bonusPercent, String],
    ['total', ({ result }) => result.total, money],
    ['payments', ({ result }) => result.asked, count],
    ['failed', ({ result }) => result.failedRequests, count],
    ['left over', ({ result }) => result.lag, count],
    ['inconsistent', ({ result }) => result.inconsistencies, count],
    ['CPU s', ({ usages }) => sum((usages ?? []).map(each => each.cpuSeconds)), value => value.toFixed(1)],
    [
      'fullest memory',
      ({ usages }) => Math.max(...(usages ?? []).map(each => each.memoryPeakBytes / each.limits.memoryBytes)),
      value => percent(value)
    ]
  ]
  const rows = runs.map((run, index) => [String(index + 1), ...columns.map(([, of, shown]) => shown(of(run)))])
  rows.push(['median', ...columns.map(([, of, shown]) => shown(median(runs.map(of))))])
  return indented(renderTable(['run', ...columns.map(([name]) => name)], rows))
}

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}

function percent(share: number, digits = 0): string {
  return `${(share * 100).toFixed(digits)} %`
}

function indented(text: string): string {
  return text
    .split('\n')
    .map(line => `  ${line}`)
    .join('\n')
}
