// npm run bench:backlog: accepting while a backlog drains, and what the backlog costs.
import { availableParallelism } from 'node:os'
import { renderTable } from '../../../shared/table.ts'
import { isMain, runCommand, shown, wholeNumber } from '../../support/command.ts'
import { count } from '../../support/numbers.ts'
import { resultsPath } from '../../support/results.ts'
import { median, medianAndRange } from '../../support/statistics.ts'
import { defineBench, EXIT_CODES, renderHead, type Provenance } from '../command.ts'
import type { Accepting } from '../rate-figures.ts'
import { SERVICES } from '../result.ts'
import { describeCores } from '../saturation.ts'
import { measureBacklog, type BacklogFigures, type Drain } from './measure.ts'

const usage = `npm run bench:backlog: accepting while a backlog drains, and what the backlog costs.

  npm run bench:backlog                            3 rounds with 100,000 payments queued and 500/s arriving
  npm run bench:backlog -- --payments 1000000 --runs 1 --restart    a million, and Redis restarted with all of them
  npm run bench:backlog -- --payments N            from 1,000 to 1,900,000
  npm run bench:backlog -- --rate R                arriving payments a second, from 200 to 5,000 (default 500)
  npm run bench:backlog -- --seconds S             how long without a backlog, from 1 to 600 (default 15)
  npm run bench:backlog -- --runs N                rounds, by turns without and with a backlog (default 3)
  npm run bench:backlog -- --restart               ends Redis with the full queue by SIGTERM and by SIGKILL, and starts it again
  npm run --silent bench:backlog -- --json         one line of JSON on stdout instead of tables

A round: load at the rate on the empty system. Then both processors fail, the queue is filled through the function that the gateways
call, the load begins, both processors are well again, and the worker does what it does after any outage; the figures end when no
more is queued than arrives in 0.1 s. After each half the books are compared: no figure unless they are equal.
Progress is on stderr. The result is also one line of JSON in ${shown(resultsPath('backlog.jsonl'))}.

p50, p99     from when a request was due until its answer
bytes        what Redis's used memory grew by, queue and ids, divided by the payments
MB of pages  anonymous pages of Redis, and those copied for a rewrite of its log, the most in a sample every 250 ms

${EXIT_CODES}`

/** Below MAX_QUEUED_PAYMENTS, so that there is room for those that arrive. */
const PAYMENTS_MAX = 1_900_000
const MEGABYTE = 2 ** 20

export const BACKLOG = defineBench({
  name: 'backlog',
  usage,
  options: {
    payments: { type: 'string', default: '100000' },
    rate: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '15' },
    runs: { type: 'string', default: '3' },
    restart: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false }
  },
  readSettings: values => ({
    paymentCount: wholeNumber('--payments', values.payments, 1_000, PAYMENTS_MAX),
    ratePerSecond: wholeNumber('--rate', values.rate, 200, 5_000),
    seconds: wholeNumber('--seconds', values.seconds, 1, 600),
    runCount: wholeNumber('--runs', values.runs, 1, 99),
    restartsRedis: values.restart,
    wantsJson: values.json
  }),
  measure: measureBacklog,
  render: renderBacklog
})

export function renderBacklog(result: Provenance & BacklogFigures): string {
  const { payments, rate, seconds, rounds } = result
  const drains = rounds.map(({ drain }) => drain)
  return [
    renderHead(
      result,
      `${rounds.length} ${rounds.length === 1 ? 'round' : 'rounds'}: ${seconds} s at ${count(rate)}/s without a backlog, then ${count(payments)} payments queued and ${count(rate)}/s while they drain`
    ),
    'Accepting: median of the rounds, least to most',
    renderAccepting(rounds),
    renderFigures(drains),
    ...renderRestarts(drains),
    ...limitsOf(rounds),
    `The books are equal: everything accepted was settled, and the summary says what the processors booked, ${rounds.length * 2} times.`
  ].join('\n\n')
}

function renderAccepting(rounds: BacklogFigures['rounds']): string {
  const row = (name: string, of: (accepting: Accepting) => number) => {
    const [idle, draining] = [rounds.map(each => of(each.idle)), rounds.map(each => of(each.drain.accepting))]
    return [name, medianAndRange(idle, 2), medianAndRange(draining, 2), (median(draining) / median(idle)).toFixed(2)]
  }
  return renderTable(
    ['', 'no backlog', 'while it drains', 'ratio'],
    [
      row('p50 ms', ({ p50Ms }) => p50Ms),
      row('p99 ms, goal: a ratio of at most 1.5', ({ p99Ms }) => p99Ms),
      row('slowest ms', ({ maxMs }) => maxMs),
      row('load late p99 ms', ({ loadLagP99Ms }) => loadLagP99Ms)
    ]
  )
}

function renderFigures(drains: readonly Drain[]): string {
  const row = (name: string, of: (drain: Drain) => number, digits: number) => [
    name,
    medianAndRange(drains.map(of), digits)
  ]
  return renderTable(
    ['The backlog', ''],
    [
      row('bytes a queued payment, goal: at most 130', ({ bytesPerQueued }) => bytesPerQueued, 1),
      row('filled, payments/s', ({ filledPerSecond }) => filledPerSecond, 0),
      row('drained in s', ({ drainSeconds }) => drainSeconds, 1),
      row('settled/s, goal: at least 10,000', ({ settledPerSecond }) => settledPerSecond, 0),
      row('Redis while filled, MB it uses at most', ({ filling }) => filling.usedBytes / MEGABYTE, 0),
      row('  MB of pages, copied ones included', ({ filling }) => filling.residentBytes / MEGABYTE, 0),
      row('  MB copied while its log is rewritten', ({ filling }) => filling.copiedBytes / MEGABYTE, 0),
      row('  rewrites', ({ filling }) => filling.rewriteCount, 0),
      row('Redis while it drains, MB it uses at most', ({ draining }) => draining.usedBytes / MEGABYTE, 0),
      row('  MB of pages, copied ones included', ({ draining }) => draining.residentBytes / MEGABYTE, 0),
      row('  MB copied while its log is rewritten', ({ draining }) => draining.copiedBytes / MEGABYTE, 0),
      row('  rewrites', ({ draining }) => draining.rewriteCount, 0),
      ...SERVICES.map(service =>
        row(`cores while it drains: ${service}`, ({ coresByService }) => coresByService[service], 2)
      ),
      row('  the processor models', ({ cores }) => cores.models, 2),
      row('  the load', ({ cores }) => cores.load, 2)
    ]
  )
}

function renderRestarts(drains: readonly Drain[]): string[] {
  const restarts = drains.flatMap(drain => drain.restarts)
  if (restarts.length === 0) return []
  const rows = restarts.map(({ signal, queued, logBytes, stopSeconds, loadSeconds, serveSeconds }) => [
    signal,
    count(queued),
    (logBytes / MEGABYTE).toFixed(0),
    ...[stopSeconds, loadSeconds, serveSeconds].map(value => value.toFixed(2))
  ])
  return [
    'Restarts of Redis with the full queue; nothing was lost',
    renderTable(['stopped by', 'queued', 'MB of log', 'stopped in s', 'loaded in s', 'serving after s'], rows)
  ]
}

function limitsOf(rounds: BacklogFigures['rounds']): string[] {
  const lines = rounds.flatMap(({ idle, drain }, index) => {
    const failed = idle.failed + drain.accepting.failed
    const limits = [
      ...(failed === 0 ? [] : [`${failed} REQUESTS FAILED.`]),
      ...describeCores(drain.cores, availableParallelism())
    ]
    return limits.map(line => `Round ${index + 1}: ${line}`)
  })
  return lines.length === 0 ? [] : [lines.join('\n')]
}

if (isMain(import.meta.filename)) await runCommand(BACKLOG)
