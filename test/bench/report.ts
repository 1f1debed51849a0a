// A run, or the medians of several, as text.
import { renderTable } from '../../shared/table.ts'
import { count } from '../k6/report.ts'
import type { Change } from './compare.ts'
import {
  floorByService,
  SERVICES,
  totalOf,
  type ByService,
  type Floor,
  type RateResult,
  type RunResult
} from './result.ts'
import { describeLimits } from './saturation.ts'
import { median } from './statistics.ts'

export function renderRun(run: RunResult, coreCount: number): string {
  const { commit, machine, mode, platform, seconds, at } = run
  return [
    `${commit} on ${machine}, ${at}\n${mode}: ${platform}; ${seconds} s at each rate`,
    renderRates(run.rates),
    ...limitsOf(run.rates, coreCount),
    'µs of CPU a settled payment, and how many times the floor that is',
    renderCpu(run),
    'µs of CPU a settled payment of a bare pipeline at the same rate, which checks nothing and remembers nothing; and how many times that ours is',
    renderBare(run),
    'MB of memory, at most',
    renderByService(run.rates, rate => rate.memoryMegabytesByService),
    'The floor: µs of CPU a payment of the bare parts, driven as hard as they go; and of our functions, driven in the same way',
    renderFloor(run.floor),
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

function renderCpu({ rates, floor }: RunResult): string {
  const floors = floorByService(floor)
  const cell = (micros: number, floorMicros: number) =>
    `${micros.toFixed(1)}${floorMicros === 0 ? '       ' : `  ${(micros / floorMicros).toFixed(2)}x`.padStart(7)}`
  const rows = SERVICES.map(service => [
    service,
    floors[service].toFixed(1),
    ...rates.map(rate => cell(rate.cpuMicrosByService[service], floors[service]))
  ])
  rows.push(['all', totalOf(floors).toFixed(1), ...rates.map(rate => cell(rate.cpuMicrosPerPayment, totalOf(floors)))])
  return renderTable(['', 'floor', ...rates.map(({ rate }) => `${count(rate)}/s       `)], rows)
}

function renderBare({ barePipeline, rates }: RunResult): string {
  const ours = (index: number, of: (rate: RateResult) => number) =>
    rates[index] === undefined ? NaN : of(rates[index])
  const cell = (bare: number, micros: number) => `${bare.toFixed(1)}${`  ${(micros / bare).toFixed(2)}x`.padStart(7)}`
  const services = SERVICES.filter(service => service !== 'monitor')
  const rows = services.map(service => [
    service,
    ...barePipeline.map(({ microsByService }, index) =>
      cell(
        microsByService[service],
        ours(index, rate => rate.cpuMicrosByService[service])
      )
    )
  ])
  rows.push([
    'all',
    ...barePipeline.map(({ microsByService }, index) =>
      cell(
        totalOf(microsByService),
        ours(index, rate => rate.cpuMicrosPerPayment)
      )
    )
  ])
  return renderTable(['', ...barePipeline.map(({ rate }) => `${count(rate)}/s       `)], rows)
}

function renderByService(rates: readonly RateResult[], of: (rate: RateResult) => ByService): string {
  const rows = SERVICES.map(service => [service, ...rates.map(rate => of(rate)[service].toFixed(1))])
  rows.push(['all', ...rates.map(rate => totalOf(of(rate)).toFixed(1))])
  return renderTable(['', ...rates.map(({ rate }) => `${count(rate)}/s`)], rows)
}

function renderFloor(floor: Floor): string {
  const { queue, ourQueue } = floor
  const rows: [string, number, number | undefined, string][] = [
    ['HAProxy before a server that answers 202', floor.haproxy, undefined, 'haproxy'],
    ['uWebSockets.js answering 202, no storage', floor.serverAnswering202, undefined, 'gateways'],
    ['accept, in batches of 32: the client', queue.acceptInClient, ourQueue.acceptInClient, 'gateways'],
    ['accept: Redis', queue.acceptInRedis, ourQueue.acceptInRedis, 'redis'],
    [
      'take and settle, in batches of 32: the client',
      queue.takeAndSettleInClient,
      ourQueue.takeAndSettleInClient,
      'worker'
    ],
    ['take and settle: Redis', queue.takeAndSettleInRedis, ourQueue.takeAndSettleInRedis, 'redis'],
    ['undici dispatch to a processor model', floor.dispatch, undefined, 'worker'],
    ['all', totalOf(floorByService(floor)), undefined, '']
  ]
  return renderTable(
    ['', 'bare', 'ours', 'part of'],
    rows.map(([name, micros, ours, service]) => [name, micros.toFixed(1), ours?.toFixed(1) ?? '', service])
  )
}

function digits(value: number): string {
  return value >= 1_000 ? count(Math.round(value)) : value.toFixed(2)
}
