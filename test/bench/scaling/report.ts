// How the cost grows, as text.
import { renderTable } from '../../../shared/table.ts'
import { count } from '../../k6/report.ts'
import type { Provenance } from '../command.ts'
import { renderHead } from '../head.ts'
import { SERVICES } from '../result.ts'
import { PARTS, saturatesFirst, wholeCoreRate } from './parts.ts'
import type { ScalingFigures, Setup } from './result.ts'
import { needOf } from './sizing.ts'

export function renderScaling(result: Provenance & ScalingFigures): string {
  const { seconds, setups } = result
  return [
    renderHead(result, `the highest rate at which the queue did not grow in ${seconds} s, to 10 %`),
    renderReached(setups),
    'µs of CPU a settled payment at that rate',
    renderTable(
      ['', ...SERVICES, 'all'],
      setups.map(setup => [
        nameOf(setup),
        ...SERVICES.map(service => setup.highest.cpuMicrosByService[service].toFixed(1)),
        setup.highest.cpuMicrosPerPayment.toFixed(1)
      ])
    ),
    'Payments/s at which the busiest process of a part would have a whole core, by those µs: an extrapolation wherever it is above what was reached',
    renderTable(
      ['', ...PARTS, 'first'],
      setups.map(setup => [
        nameOf(setup),
        ...PARTS.map(part => thousands(wholeCoreRate(setup, part))),
        saturatesFirst(setup)
      ])
    ),
    ...limitsOf(setups),
    'What a rate needs, by µs of CPU and MB as measured with the fewest processes',
    renderSizing(result),
    'The books are equal: at each rate everything accepted was settled, and the summary says what the processors booked.'
  ].join('\n\n')
}

function nameOf({ workers, gateways }: Setup): string {
  return `${workers} × worker, ${gateways} × gateway`
}

/** No more digits than it is known to. */
function thousands(value: number): string {
  return count(Math.round(value / 100) * 100)
}

function renderReached(setups: readonly Setup[]): string {
  return renderTable(
    ['', 'settled/s', 'accept p99 ms', 'settle p50 ms', 'cores: services', 'models', 'load', 'other', 'MB'],
    setups.map(setup => {
      const { settledPerSecond, acceptP99Ms, settleP50Ms, cores, memoryMegabytes } = setup.highest
      return [
        nameOf(setup),
        count(Math.round(settledPerSecond)),
        acceptP99Ms.toFixed(2),
        settleP50Ms.toFixed(1),
        ...[cores.services, cores.models, cores.load, cores.other].map(each => each.toFixed(2)),
        memoryMegabytes.toFixed(0)
      ]
    })
  )
}

function limitsOf(setups: readonly Setup[]): string[] {
  const lines = setups.flatMap(setup => setup.limits.map(line => `${nameOf(setup)}: ${line}`))
  return lines.length === 0 ? [] : [`At the next higher rate that was tried\n${lines.join('\n')}`]
}

function renderSizing({ sizing, setups: [first] }: ScalingFigures): string {
  if (first === undefined) return ''
  const header = [
    'payments/s',
    'a day',
    'measured at',
    'cores',
    ...SERVICES,
    'gateways',
    'workers',
    'MB of processes',
    'MB of ids at most',
    'MB of totals a day'
  ]
  return renderTable(
    header,
    sizing
      .map(sample => needOf(sample, first))
      .map(need => [
        count(need.rate),
        count(need.paymentsPerDay),
        count(need.measuredAt),
        need.cores.toFixed(2),
        ...SERVICES.map(service => need.coresByService[service].toFixed(2)),
        count(need.gateways),
        count(need.workers),
        ...[need.megabytes, need.idMegabytes, need.totalsMegabytesPerDay].map(each => count(Math.round(each)))
      ])
  )
}
