// A run, or the medians of several, as text.
import { renderTable } from '../../shared/table.ts'
import { count } from '../support/numbers.ts'
import type { Change } from './compare.ts'
import { mapServices, SERVICES, totalOf, type ByService, type RateResult, type RunResult } from './result.ts'
import { describeLimits } from './saturation.ts'
import { median } from '../support/statistics.ts'

const NONE = mapServices(() => 0)

export function renderRun(run: RunResult, coreCount: number): string {
  const { commit, machine, mode, platform, seconds, at } = run
  return [
    `${commit} on ${machine}, ${at}\n${mode}: ${platform}; ${seconds} s at each rate`,
    renderRates(run.rates),
    ...limitsOf(run.rates, coreCount),
    'µs of CPU a settled payment, and how many times that is what a bare pipeline takes, which checks nothing and remembers nothing',
    renderCpu(run),
    'MB of memory, at most',
    renderByService(run.rates, rate => rate.memoryMegabytesByService),
    'The books are equal: at each rate everything accepted was settled, and the summary says what the processors booked.'
  ].join('\n\n')
}

/** How far the runs differ: (most − least) / median. */
export function renderSpread(runs: readonly RunResult[]): string {
  const spread = (of: (rate: RateResult) => number) => (_: RateResult, index: number) => {
    const values = runs.flatMap(run => (run.rates[index] === undefined ? [] : [of(run.rates[index])]))
    return `${(((Math.max(...values) - Math.min(...values)) / median(values)) * 100).toFixed(0)} %`
  }
  const columns: [string, (rate: RateResult) => number][] = [
    ['settled/s', rate => rate.settledPerSecond],
    ['accept p50', rate => rate.acceptP50Ms],
    ['accept p99', rate => rate.acceptP99Ms],
    ['settle p50', rate => rate.settleP50Ms],
    ['µs a payment', rate => rate.cpuMicrosPerPayment],
    ['MB', rate => rate.memoryMegabytes]
  ]
  const cells = columns.map(([, of]) => (runs[0]?.rates ?? []).map(spread(of)))
  const rows = (runs[0]?.rates ?? []).map(({ rate }, index) => [
    count(rate),
    ...cells.map(column => column[index] ?? '')
  ])
  return renderTable(['asked/s', ...columns.map(([name]) => name)], rows)
}

export function renderChanges(changes: readonly Change[]): string {
  const rows = changes.map(({ rate, figure, before, after, ratio, ratioMin, ratioMax, verdict }) => [
    `${count(rate)}/s  ${figure}`,
    digits(before),
    digits(after),
    ratio.toFixed(3),
    `${ratioMin.toFixed(2)} to ${ratioMax.toFixed(2)}`,
    verdict === 'shown' ? '' : verdict
  ])
  return renderTable(['', 'before', 'after', 'ratio', 'of any two runs', ''], rows)
}

function renderRates(rates: readonly RateResult[]): string {
  const header = [
    'asked/s',
    'offered/s',
    'accepted/s',
    'settled/s',
    'failed',
    'accept p50 ms',
    'p99',
    'p99.9',
    'load late p99',
    'settle p50 ms',
    'p99',
    'backlog'
  ]
  return renderTable(
    header,
    rates.map(each => [
      count(each.rate),
      ...[each.offeredPerSecond, each.acceptedPerSecond, each.settledPerSecond].map(value => count(Math.round(value))),
      count(each.failedRequests),
      ...[each.acceptP50Ms, each.acceptP99Ms, each.acceptP999Ms, each.loadLagP99Ms].map(value => value.toFixed(2)),
      ...[each.settleP50Ms, each.settleP99Ms].map(value => value.toFixed(1)),
      count(each.backlog)
    ])
  )
}

function limitsOf(rates: readonly RateResult[], coreCount: number): string[] {
  const lines = rates.flatMap(rate => describeLimits(rate, coreCount).map(line => `${count(rate.rate)}/s: ${line}`))
  return lines.length === 0 ? [] : [lines.join('\n')]
}

function renderCpu({ rates, barePipeline }: RunResult): string {
  const row = (name: string, of: (micros: ByService) => number) => [
    name,
    ...rates.map(({ cpuMicrosByService }, index) => {
      const [micros, bare] = [of(cpuMicrosByService), of(barePipeline[index]?.microsByService ?? NONE)]
      return `${micros.toFixed(1)}${(bare === 0 ? '' : `  ${(micros / bare).toFixed(2)}x`).padStart(7)}`
    })
  ]
  const rows = [
    ...SERVICES.map(service => row(service, micros => micros[service])),
    row('all', totalOf),
    ['bare pipeline', ...barePipeline.map(({ microsByService }) => `${totalOf(microsByService).toFixed(1)}       `)]
  ]
  return renderTable(['', ...rates.map(({ rate }) => `${count(rate)}/s       `)], rows)
}

function renderByService(rates: readonly RateResult[], of: (rate: RateResult) => ByService): string {
  const rows = SERVICES.map(service => [service, ...rates.map(rate => of(rate)[service].toFixed(1))])
  rows.push(['all', ...rates.map(rate => totalOf(of(rate)).toFixed(1))])
  return renderTable(['', ...rates.map(({ rate }) => `${count(rate)}/s`)], rows)
}

function digits(value: number): string {
  return value >= 1_000 ? count(Math.round(value)) : value.toFixed(2)
}
