// npm run bench:scaling: what more workers and gateways bring, which part has a whole core first, and what a rate
// needs.
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { renderTable } from '../../../shared/table.ts'
import { isMain, runCommand, shown, wholeNumber } from '../../support/command.ts'
import { count } from '../../support/numbers.ts'
import { resultsPath } from '../../support/results.ts'
import { defineBench, EXIT_CODES, renderHead, type Provenance } from '../command.ts'
import { SERVICES } from '../result.ts'
import { needOf, PARTS, saturatesFirst, wholeCoreRate, type ScalingFigures, type Setup } from './conclusions.ts'
import { measureScaling } from './measure.ts'
import { plotScaling } from './plot.ts'

const usage = `npm run bench:scaling: what more workers and gateways bring, which part has a whole core first, and what a rate needs.

  npm run bench:scaling                            1, 2 and 4 workers with 2 and 4 gateways; takes about 6 minutes
  npm run bench:scaling -- --workers 1,2           other numbers of workers, from 1 to 16
  npm run bench:scaling -- --gateways 2            other numbers of gateways, from 1 to 4
  npm run bench:scaling -- --rate-max R            tries no higher rate, from 200 to 100,000 (default 50,000)
  npm run bench:scaling -- --seconds S             how long at each rate, from 1 to 600 (default 5)
  npm run bench:scaling -- --plot FILE.svg         and a plot, such as docs/scaling.svg
  npm run --silent bench:scaling -- --json         one line of JSON on stdout instead of tables

For each setup a new system: twice the rate as long as the queue does not grow, then between the last two until they are 10 % apart. After each
rate the books are compared: no figure unless they are equal. The load and the processor models share the machine, so what is reached says
more about the machine than about the pipeline; what a payment costs, by the operating system's count, does not.
Progress is on stderr. The result is also one line of JSON in ${shown(resultsPath('scaling.jsonl'))}.

whole core   the rate at which one process would need all of a core, if a payment went on to cost what it cost when it was measured
sizing       cores at a rate by what a payment cost at that rate, or at the highest one reached where that is lower; gateways and workers
             such that none has more than 70 % of a core; ids for two periods of ID_RETENTION_HOURS at its default

${EXIT_CODES}`

const counts = (name: string, text: string, max: number) => text.split(',').map(each => wholeNumber(name, each, 1, max))

export const SCALING = defineBench({
  name: 'scaling',
  usage,
  options: {
    workers: { type: 'string', default: '1,2,4' },
    gateways: { type: 'string', default: '2,4' },
    'rate-max': { type: 'string', default: '50000' },
    seconds: { type: 'string', default: '5' },
    plot: { type: 'string' },
    json: { type: 'boolean', default: false }
  },
  readSettings: values => ({
    workerCounts: counts('--workers', values.workers, 16),
    // As many as haproxy.cfg has lines for.
    gatewayCounts: counts('--gateways', values.gateways, 4),
    rateMax: wholeNumber('--rate-max', values['rate-max'], 200, 100_000),
    seconds: wholeNumber('--seconds', values.seconds, 1, 600),
    plotPath: values.plot === undefined ? undefined : resolve(values.plot),
    wantsJson: values.json
  }),
  async measure(settings, tools) {
    const figures = await measureScaling(settings, tools)
    if (settings.plotPath !== undefined)
      writeFileSync(settings.plotPath, plotScaling('What the parts of the pipeline carry', figures.setups))
    return figures
  },
  render: renderScaling
})

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

if (isMain(import.meta.filename)) await runCommand(SCALING)
