import { PROCESSOR_NAMES, type ProcessorName } from '../payment.ts'

/**
 * What the last audit of all payments found: ours minus the processor's, so 0 and 0 where the books agree. It stands in Redis, where
 * people read it as well; `GET /status` and the metrics tell it.
 */
export type AuditResult = {
  atMs: number
  kind: 'plain' | 'deep'
  /** It covers the payments whose requestedAt is not after this. */
  untilMs: number
  differences: Record<ProcessorName, { payments: bigint; cents: bigint }>
  /** Payments that differ when compared one by one; null where they were not. */
  differingPayments: number | null
}

/** Whether it found nothing. */
export function foundEqual({ differences, differingPayments }: AuditResult): boolean {
  return PROCESSOR_NAMES.every(name => differences[name].payments === 0n && differences[name].cents === 0n) && (differingPayments ?? 0) === 0
}

/** As the fields of a hash; see docs/redis.md. */
export function renderAuditResult({ atMs, kind, untilMs, differences, differingPayments }: AuditResult): Record<string, string> {
  return {
    at: new Date(atMs).toISOString(),
    kind,
    until: new Date(untilMs).toISOString(),
    ...Object.fromEntries(PROCESSOR_NAMES.flatMap(name => [
      [`${name}-payments`, String(differences[name].payments)], [`${name}-cents`, String(differences[name].cents)]
    ])),
    ...differingPayments !== null && { 'differing-payments': String(differingPayments) }
  }
}

/** Null where there is none. */
export function parseAuditResult(fields: Record<string, string | undefined>): AuditResult | null {
  const { at, kind, until, 'differing-payments': differing } = fields
  if (at === undefined || until === undefined || (kind !== 'plain' && kind !== 'deep')) return null
  const difference = (name: ProcessorName) => ({ payments: BigInt(fields[`${name}-payments`] ?? 0), cents: BigInt(fields[`${name}-cents`] ?? 0) })
  return {
    atMs: Date.parse(at),
    kind,
    untilMs: Date.parse(until),
    differences: { default: difference('default'), fallback: difference('fallback') },
    differingPayments: differing === undefined ? null : Number(differing)
  }
}
