// npm run bench:summary: summaries over 30 days of payments, alone and under load, and what those payments take in
// Redis.
import { renderTable } from '../../../shared/table.ts'
import { isMain, runCommand, shown, wholeNumber } from '../../support/command.ts'
import { count } from '../../support/numbers.ts'
import { resultsPath } from '../../support/results.ts'
import { median, medianAndRange, sum } from '../../support/statistics.ts'
import { defineBench, EXIT_CODES, renderHead, type Provenance } from '../command.ts'
import { SERVICES } from '../result.ts'
import { RANGES, type Summaries } from './ask.ts'
import { measureSummary, type Round, type SummaryFigures } from './measure.ts'

const usage = `npm run bench:summary: summaries over 30 days of payments, alone and under load, and what those payments take in Redis.

  npm run bench:summary                          10 million settled payments, 3 rounds; takes about 10 minutes, most of them to settle those
  npm run bench:summary -- --payments N          from 3,000 to 20,000,000
  npm run bench:summary -- --rate R              payments a second that are accepted meanwhile, from 200 to 5,000 (default 500)
  npm run bench:summary -- --seconds S           how long each part of a round takes, from 1 to 600 (default 20)
  npm run bench:summary -- --runs N              rounds, from 1 to 99 (default 3)
  npm run --silent bench:summary -- --json       one line of JSON on stdout instead of tables

The payments are spread evenly over the last 30 days, and settled through the functions that gateways and workers call; ids are
remembered of the last two days of them, as in a system that runs. A round: 100 summaries a second alone, payments alone, and both
together, by turns over all time, 30 days and 15 s that begin at an odd millisecond, and any two times. Each answer is compared with
sums that the benchmark keeps by itself, and at the end the books: no figure unless all are equal.
Progress is on stderr. The result is also one line of JSON in ${shown(resultsPath('summary.jsonl'))}.

summaries    from when a question was sent until its answer; questions never wait for each other
accepting    from when a request was due until its answer
bytes        what Redis's used memory grew by; of the ids, what it shrinks by when they are deleted at the very end

${EXIT_CODES}`

export const SUMMARY = defineBench({
  name: 'summary',
  usage,
  options: {
    payments: { type: 'string', default: '10000000' },
    rate: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '20' },
    runs: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false }
  },
  readSettings: values => ({
    paymentCount: wholeNumber('--payments', values.payments, 3_000, 20_000_000),
    ratePerSecond: wholeNumber('--rate', values.rate, 200, 5_000),
    seconds: wholeNumber('--seconds', values.seconds, 1, 600),
    runCount: wholeNumber('--runs', values.runs, 1, 99),
    wantsJson: values.json
  }),
  measure: measureSummary,
  render: renderSummaryFigures
})

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
    return [name, count(sum(each.map(({ ranges }) => ranges[name].asked))), of('p50Ms'), of('p99Ms'), of('maxMs')]
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

if (isMain(import.meta.filename)) await runCommand(SUMMARY)
