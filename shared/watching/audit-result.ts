import { PROCESSOR_NAMES, type ProcessorName } from '../payment.ts'

/**
 * What the last audit of all payments found: ours minus the processor's, so 0 and 0 where the books agree. It stands in
 * Redis, where people read it as well; `GET /status` and the metrics tell it.
 */
export type AuditResult = {
  atMs: number
  kind: 'plain' | 'deep'
  /** It covers the payments whose requestedAt is not after this. */
  untilMs: number
  differences: Record<ProcessorName, { payments: bigint; cents: bigint }>
  /** Payments that differ when compared one by one; null where they were not. */
  differingPayments: number | null
  /**
   * Payments in flight, which it could not compare, and when the oldest of them was sent, null if none tells. Null in a
   * result of an older version, which compared nothing from the oldest payment in flight on.
   */
  notCompared: { payments: number; oldestSentAtMs: number | null } | null
  /**
   * How many of the payments in our books were compared one by one: those whose ids are remembered. Null if none, or by
   * an older version.
   */
  oneByOne: { compared: number; of: number } | null
}

/**
 * A payment that has been in flight for longer has an open outcome: it will not have been compared by the next audit
 * either.
 */
export const LONG_IN_FLIGHT_MS = 60_000

/** Whether it left out payments that are not just on their way. */
export function leftOutLong({ atMs, notCompared }: Pick<AuditResult, 'atMs' | 'notCompared'>): boolean {
  return atMs - (notCompared?.oldestSentAtMs ?? atMs) > LONG_IN_FLIGHT_MS
}

/** Whether it found nothing. */
export function foundEqual({ differences, differingPayments }: AuditResult): boolean {
  return (
    PROCESSOR_NAMES.every(name => differences[name].payments === 0n && differences[name].cents === 0n) &&
    (differingPayments ?? 0) === 0
  )
}

/** As the fields of a hash; see docs/redis.md. */
export function renderAuditResult({
  atMs,
  kind,
  untilMs,
  differences,
  differingPayments,
  notCompared,
  oneByOne
}: AuditResult): Record<string, string> {
  return {
    at: new Date(atMs).toISOString(),
    kind,
    until: new Date(untilMs).toISOString(),
    ...Object.fromEntries(
      PROCESSOR_NAMES.flatMap(name => [
        [`${name}-payments`, String(differences[name].payments)],
        [`${name}-cents`, String(differences[name].cents)]
      ])
    ),
    ...(differingPayments !== null && { 'differing-payments': String(differingPayments) }),
    ...(notCompared && { 'not-compared': String(notCompared.payments) }),
    ...(notCompared?.oldestSentAtMs != null && {
      'not-compared-since': new Date(notCompared.oldestSentAtMs).toISOString()
    }),
    ...(oneByOne !== null && { 'one-by-one': String(oneByOne.compared), 'one-by-one-of': String(oneByOne.of) })
  }
}

/** Null where there is none. */
export function parseAuditResult(fields: Record<string, string | undefined>): AuditResult | null {
  const {
    at,
    kind,
    until,
    'differing-payments': differing,
    'not-compared': left,
    'not-compared-since': since,
    'one-by-one': compared,
    'one-by-one-of': of
  } = fields
  if (at === undefined || until === undefined || (kind !== 'plain' && kind !== 'deep')) return null
  const difference = (name: ProcessorName) => ({
    payments: BigInt(fields[`${name}-payments`] ?? 0),
    cents: BigInt(fields[`${name}-cents`] ?? 0)
  })
  return {
    atMs: Date.parse(at),
    kind,
    untilMs: Date.parse(until),
    differences: { default: difference('default'), fallback: difference('fallback') },
    differingPayments: differing === undefined ? null : Number(differing),
    notCompared:
      left === undefined
        ? null
        : { payments: Number(left), oldestSentAtMs: since === undefined ? null : Date.parse(since) },
    oneByOne: compared === undefined || of === undefined ? null : { compared: Number(compared), of: Number(of) }
  }
}
