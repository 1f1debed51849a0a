import { decimalFromCents, signedDecimalFromCents } from '../../shared/money.ts'
import type { AuditResult } from '../../shared/watching/audit-result.ts'
import { PROCESSOR_NAMES, type ProcessorName } from '../../shared/payment.ts'
import { renderTable } from '../../shared/table.ts'
import type { Difference, EachCompared } from './audit-each.ts'
import { sentAtMs, type Range } from './audit-in-flight.ts'
import type { Judged, TotalsCompared } from './audit-totals.ts'

/** All that an audit found. */
export type AuditFindings = TotalsCompared & {
  range: Range
  /** When it was done. */
  atMs: number
  /** With how many payments there are in our books; undefined unless it was deep. */
  each: (EachCompared & { ofCount: number }) | undefined
  /** Single payments that are wrong: among those in flight, and if it was deep among all. */
  differences: readonly Difference[]
  unsettledCount: number
}

/** Both are few on most days. */
const LINES_MAX = 50

export function isEqual({ processors, differences }: AuditFindings): boolean {
  return (
    differences.length === 0 &&
    PROCESSOR_NAMES.every(name => {
      const { ours, theirs } = processors[name]
      return ours.requests === theirs.requests && ours.cents === theirs.cents
    })
  )
}

/** What it leaves in Redis. */
export function resultOf(findings: AuditFindings): AuditResult {
  const { range, atMs, processors, each, differences, inFlight } = findings
  const difference = (name: ProcessorName) => {
    const { ours, theirs } = processors[name]
    return { payments: ours.requests - theirs.requests, cents: ours.cents - theirs.cents }
  }
  return {
    atMs,
    kind: each ? 'deep' : 'plain',
    untilMs: range.toMs,
    differences: { default: difference('default'), fallback: difference('fallback') },
    differingPayments: each || differences.length > 0 ? differences.length : null,
    notCompared: { payments: inFlight.length, oldestSentAtMs: oldestOf(inFlight) },
    oneByOne: each ? { compared: each.comparedCount, of: each.ofCount } : null
  }
}

/** As one line of JSON. */
export function renderJson(findings: AuditFindings): string {
  const { range, atMs, processors, inFlight, each, differences, unsettledCount } = findings
  const oldest = oldestOf(inFlight)
  return JSON.stringify(
    {
      from: iso(range.fromMs),
      to: iso(range.toMs),
      isEqual: isEqual(findings),
      unsettled: unsettledCount,
      processors: PROCESSOR_NAMES.map(processor => ({ processor, ...processors[processor] })),
      notCompared: {
        payments: inFlight.length,
        oldestSentAt: oldest === null ? null : iso(oldest),
        oldestSeconds: oldest === null ? null : (atMs - oldest) / 1_000,
        each: inFlight.map(payment => ({
          entryId: payment.entryId,
          correlationId: payment.payment?.correlationId ?? null,
          processor: payment.choice?.processor ?? null,
          requestedAt: payment.choice ? iso(payment.choice.requestedAtMs) : null,
          found: foundOf(payment)
        }))
      },
      ...(each && { comparedCount: each.comparedCount, ofCount: each.ofCount }),
      ...((each !== undefined || differences.length > 0) && { differences })
    },
    (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)
  )
}

/** For people. */
export function renderReport(findings: AuditFindings): string {
  const { range, processors, inFlight, each, differences, unsettledCount } = findings
  const rows = PROCESSOR_NAMES.map(name => {
    const { ours, theirs } = processors[name]
    return [
      name,
      String(ours.requests),
      String(theirs.requests),
      String(ours.requests - theirs.requests),
      decimalFromCents(ours.cents),
      decimalFromCents(theirs.cents),
      signedDecimalFromCents(ours.cents - theirs.cents)
    ]
  })
  const lines = [
    `${iso(range.fromMs)} to ${iso(range.toMs)}`,
    renderTable(['processor', 'payments: ours', 'theirs', 'difference', 'amount: ours', 'theirs', 'difference'], rows)
  ]
  if (inFlight.length > 0) {
    lines.push(
      `\n${payments(inFlight.length)} in flight ${inFlight.length === 1 ? 'was' : 'were'} not compared, and ${inFlight.length === 1 ? 'is' : 'are'} in none of the sums above:`
    )
    lines.push(
      ...shortened(
        ['payment', 'in flight at', 'sent', 'found'],
        inFlight.map(each => [
          each.payment?.correlationId ?? `entry ${each.entryId}`,
          each.choice?.processor ?? '-',
          sentText(each),
          foundOf(each)
        ])
      )
    )
  }
  if (each) {
    const left = each.ofCount - each.comparedCount
    const notRemembered =
      left === 0 ? '' : `; the ids of ${left} are no longer remembered, so they were not compared one by one`
    lines.push(
      `\n${each.comparedCount} of ${each.ofCount} payments compared one by one, ${each.differences.length} differ${notRemembered}`
    )
  }
  if (differences.length > 0)
    lines.push(
      ...shortened(
        ['payment', 'difference'],
        differences.map(({ correlationId, difference }) => [correlationId, difference])
      )
    )
  const others = unsettledCount - inFlight.length
  if (others > 0) {
    lines.push(
      `\n${others} ${inFlight.length > 0 ? 'other ' : ''}accepted payments are not settled yet; with --to, one that was booked and not yet counted shows as a difference for a moment.`
    )
  }
  return [...lines, '', conclusionOf(findings)].join('\n')
}

/** The last line. It says nothing of all books where something was left out. */
export function conclusionOf(findings: AuditFindings): string {
  const { inFlight, each, atMs } = findings
  const left: string[] = []
  if (inFlight.length > 0) {
    const oldest = oldestOf(inFlight)
    const age =
      oldest === null
        ? ''
        : `: ${inFlight.length === 1 ? 'sent' : 'the oldest was sent'} at ${iso(oldest)}, ${Math.round((atMs - oldest) / 1_000)} s ago`
    left.push(`${payments(inFlight.length)} in flight ${inFlight.length === 1 ? 'was' : 'were'} not${age}`)
  }
  const forgotten = each ? each.ofCount - each.comparedCount : 0
  if (forgotten > 0)
    left.push(`${payments(forgotten)} ${forgotten === 1 ? 'was' : 'were'} compared in the sums only, not one by one`)
  if (left.length === 0) return isEqual(findings) ? 'All books agree.' : 'THE BOOKS DIFFER.'
  return `${isEqual(findings) ? 'The books agree in all that was compared' : 'THE BOOKS DIFFER in what was compared'}; ${left.join('; ')}.`
}

function oldestOf(inFlight: readonly Judged[]): number | null {
  const times = inFlight.map(sentAtMs).filter(timeMs => timeMs !== null)
  return times.length === 0 ? null : Math.min(...times)
}

function foundOf({ payment, choice, booked, unclear, difference }: Judged): string {
  if (difference !== undefined) return difference
  if (payment === undefined) return 'no payment in the queue'
  const what =
    unclear.length > 0
      ? `no clear answer from ${unclear.join(' and ')}`
      : booked.length > 0
        ? `booked at ${booked.map(({ processor }) => processor).join(' and ')}, not counted yet`
        : 'not booked in this range'
  return choice === undefined ? `its record is none; ${what}` : what
}

function sentText(payment: Judged): string {
  const timeMs = payment.choice ? payment.choice.requestedAtMs : null
  return timeMs === null ? '-' : iso(timeMs)
}

function shortened(header: string[], rows: string[][]): string[] {
  const shown = [renderTable(header, rows.slice(0, LINES_MAX))]
  return rows.length <= LINES_MAX ? shown : [...shown, `… and ${rows.length - LINES_MAX} more (--json has them all)`]
}

function payments(count: number): string {
  return `${count} payment${count === 1 ? '' : 's'}`
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
