// What a backlog costs, as text.
import { availableParallelism } from 'node:os'
import { renderTable } from '../../../shared/table.ts'
import { count } from '../../k6/report.ts'
import type { Accepting } from '../accepting.ts'
import { renderHead } from '../head.ts'
import type { Provenance } from '../command.ts'
import { SERVICES } from '../result.ts'
import { describeCores } from '../saturation.ts'
import { median, medianAndRange } from '../statistics.ts'
import type { BacklogFigures, Drain } from './result.ts'

const MEGABYTE = 2 ** 20

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
