// What summaries cost, as text.
import { renderTable } from '../../../shared/table.ts'
import { count } from '../../k6/report.ts'
import type { Provenance } from '../command.ts'
import { renderHead } from '../head.ts'
import { SERVICES } from '../result.ts'
import { median, medianAndRange } from '../statistics.ts'
import { RANGES } from './ranges.ts'
import type { Round, Summaries, SummaryFigures } from './result.ts'

export function renderSummaryFigures(result: Provenance & SummaryFigures): string {
  const { payments, rate, seconds, filledPerSecond, memory, rounds } = result
  return [
    renderHead(
      result,
      `${count(payments)} payments of 30 days settled at ${filledPerSecond.toFixed(0)}/s; ${rounds.length} ${rounds.length === 1 ? 'round' : 'rounds'} of ${seconds} s`
    ),
    'GET /payments-summary, 100 a second, ms: median of the rounds, least to most. Goal: a p99 of at most 2 ms',
    renderSummaries(
      'alone',
      rounds.map(({ alone }) => alone)
    ),
    renderSummaries(
      `beside ${count(rate)} payments/s`,
      rounds.map(({ beside }) => beside)
    ),
    'µs of CPU a summary, alone; what each service does by itself meanwhile is in it',
    renderTable(
      [...SERVICES],
      [
        SERVICES.map(service =>
          medianAndRange(
            rounds.map(({ aloneMicrosByService: micros }) => micros[service]),
            0
          )
        )
      ]
    ),
    `Accepting ${count(rate)} payments/s, ms`,
    renderAccepting(rounds),
    'Bytes of Redis memory',
    renderMemory(payments, memory),
    'Every answer was right to the cent, by sums that the benchmark keeps apart, and the books are equal.'
  ].join('\n\n')
}

function renderSummaries(title: string, each: readonly Summaries[]): string {
  const rows = RANGES.map(name => {
    const of = (figure: 'p50Ms' | 'p99Ms' | 'maxMs') =>
      medianAndRange(
        each.map(({ ranges }) => ranges[name][figure]),
        2
      )
    return [
      name,
      count(each.reduce((sum, { ranges }) => sum + ranges[name].asked, 0)),
      of('p50Ms'),
      of('p99Ms'),
      of('maxMs')
    ]
  })
  const late = medianAndRange(
    each.map(({ lateP99Ms }) => lateP99Ms),
    2
  )
  return `${renderTable([title, 'asked', 'p50', 'p99', 'slowest'], rows)}\nSent late by this program's own timer, which is not in the figures: p99 ${late}`
}

function renderAccepting(rounds: readonly Round[]): string {
  const row = (name: string, figure: 'p50Ms' | 'p99Ms' | 'maxMs' | 'loadLagP99Ms') => {
    const [alone, beside] = [
      rounds.map(({ accepting }) => accepting[figure]),
      rounds.map(({ acceptingBeside }) => acceptingBeside[figure])
    ]
    return [name, medianAndRange(alone, 2), medianAndRange(beside, 2), (median(beside) / median(alone)).toFixed(2)]
  }
  return renderTable(
    ['', 'alone', 'beside 100 summaries/s', 'ratio'],
    [row('p50', 'p50Ms'), row('p99', 'p99Ms'), row('slowest', 'maxMs'), row('load late p99', 'loadLagP99Ms')]
  )
}

function renderMemory(
  payments: number,
  { usedBytes, idCount, idBytes, totalsBytes }: SummaryFigures['memory']
): string {
  const [perPayment, perId] = [totalsBytes / payments, idBytes / idCount]
  return renderTable(
    ['', ''],
    [
      ['in the totals, a settled payment', perPayment.toFixed(1)],
      [`in the record of an id, one of ${count(idCount)} that are remembered`, perId.toFixed(1)],
      ['both, of a payment of the last two days', (perPayment + perId).toFixed(1)],
      ['all that Redis holds, divided by all settled payments; goal: at most 60', (usedBytes / payments).toFixed(1)],
      ['all that Redis holds, in MB', (usedBytes / 2 ** 20).toFixed(1)]
    ]
  ).trimStart()
}
