// The figures of fault runs, as lines for people. Pure.
import type { RunReport } from './random-run.ts'
import type { Recovery } from './recovery.ts'

/** @param options the words that repeat the run, without the seed */
export function describeSeed(report: RunReport, options: string): string {
  const { seed, payments, accepted, requests, durationMs, drainMs, booked, deadLetters, failure } = report
  const lines = [
    `  ${failure === undefined ? 'ok' : 'FAILED'} in ${seconds(durationMs)}: ${payments} payments, ${accepted} got a 2xx, ` +
      `${requests} requests; booked ${booked.default} + ${booked.fallback}, ${deadLetters} dead letters; ` +
      `all settled ${seconds(drainMs)} after the last request`,
    `  faults: ${counts(report.faults)}`,
    `  not accepted: ${counts(report.clientErrors) || 'none'}`
  ]
  if (report.recoveries.length > 0) lines.push(`  recovery: ${report.recoveries.map(describeRecovery).join('; ')}`)
  if (failure !== undefined) {
    lines.push(
      `  ${failure.replaceAll('\n', '\n  ')}`,
      `  logs and data: ${report.directory}`,
      `  replay: SEED=${seed} npm run faults -- --verbose ${options}`
    )
  }
  return lines.join('\n')
}

export function describeTotals(reports: readonly RunReport[]): string {
  const failed = reports.filter(({ failure }) => failure !== undefined)
  const sum = (of: (report: RunReport) => number) => reports.reduce((total, report) => total + of(report), 0)
  const merged = (of: (report: RunReport) => Record<string, number>) => {
    const all: Record<string, number> = {}
    for (const report of reports)
      for (const [name, count] of Object.entries(of(report))) all[name] = (all[name] ?? 0) + count
    return all
  }
  const faults = merged(each => each.faults)
  const faultCount = Object.values(faults).reduce((total, count) => total + count, 0)
  const failedSeeds = failed.length > 0 ? ` (seeds ${failed.map(({ seed }) => seed).join(', ')})` : ''
  return [
    '',
    `${reports.length} runs, ${failed.length} failed${failedSeeds}: ${sum(each => each.payments)} payments, ` +
      `${sum(each => each.accepted)} got a 2xx, ${sum(each => each.requests)} requests, ${faultCount} faults, ` +
      seconds(sum(each => each.durationMs)),
    `faults: ${counts(faults)}`,
    `not accepted: ${counts(merged(each => each.clientErrors)) || 'none'}`,
    'recovery in ms from the kill, median and worst: accepted again, settled again, all settled that was accepted before',
    ...recoveryTable(reports.flatMap(({ recoveries }) => recoveries))
  ].join('\n')
}

/** One line for each kind of kill. Other faults happen meanwhile, so that the worst is not this kill's alone. */
export function recoveryTable(recoveries: readonly Recovery[]): string[] {
  const kinds = [...new Set(recoveries.map(({ kind }) => kind))].sort()
  return kinds.map(kind => {
    const own = recoveries.filter(each => each.kind === kind)
    const figures = (['acceptedAgainMs', 'settledAgainMs', 'backlogGoneMs'] as const).map(name => {
      const sorted = own.map(each => each[name]).sort((a, b) => a - b)
      return `${sorted[Math.floor((sorted.length - 1) / 2)] ?? 0} / ${sorted.at(-1) ?? 0}`.padStart(14)
    })
    return `  ${kind.padEnd(32)} ×${String(own.length).padEnd(3)} ${figures.join('  ')}`
  })
}

function describeRecovery({ kind, acceptedAgainMs, settledAgainMs, backlogGoneMs }: Recovery): string {
  return `${kind} ${acceptedAgainMs}/${settledAgainMs}/${backlogGoneMs} ms`
}

/** "kill redis ×2, slow ×1", the most frequent first. */
function counts(record: Record<string, number>): string {
  const sorted = Object.entries(record).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]))
  return sorted.map(([name, count]) => `${name} ×${count}`).join(', ')
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
