import { centsFromDecimal } from '../../shared/money.ts'
import type { LookupOutcome } from '../outcome.ts'
import { differenceOf, type BookedEntry } from './audit-differences.ts'
import type { Range } from './audit-in-flight.ts'
import { LOOKUPS_AT_ONCE, type AuditedProcessors } from './audited-processor.ts'
import type { RememberedPayment } from './remembered.ts'

export type Difference = { correlationId: string; difference: string }

export type EachCompared = {
  /** Payments in our books that were compared one by one. */
  comparedCount: number
  differences: Difference[]
}

/**
 * Asks both processors for every payment that is remembered.
 *
 * @param inFlight ids that were looked at already
 * @throws where a processor gives no clear answer
 */
export async function compareEach(
  payments: AsyncIterator<RememberedPayment>,
  processors: AuditedProcessors,
  { fromMs, toMs }: Range,
  inFlight: ReadonlySet<string>
): Promise<EachCompared> {
  const result: EachCompared = { comparedCount: 0, differences: [] }
  const compareNext = async () => {
    for (let next = await payments.next(); next.done !== true; next = await payments.next()) {
      const { correlationId, settled } = next.value
      if (inFlight.has(correlationId) || (settled && (settled.requestedAtMs < fromMs || settled.requestedAtMs > toMs)))
        continue
      const [byDefault, byFallback] = await Promise.all([
        processors.default.lookup(correlationId),
        processors.fallback.lookup(correlationId)
      ])
      const difference = differenceOf({
        correlationId,
        ours: settled,
        theirs: { default: entryOf(byDefault), fallback: entryOf(byFallback) }
      })
      if (settled) result.comparedCount += 1
      if (difference !== undefined) result.differences.push({ correlationId, difference })
      if (settled && result.comparedCount % 1_000 === 0 && process.stderr.isTTY)
        process.stderr.write(`\r${result.comparedCount} payments compared`)
    }
  }
  await Promise.all(Array.from({ length: LOOKUPS_AT_ONCE }, compareNext))
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  return result
}

function entryOf(outcome: LookupOutcome): BookedEntry | undefined {
  if (outcome.kind === 'unknown') throw new Error(`a processor gave no clear answer for a payment: ${outcome.reason}`)
  return outcome.kind === 'stored'
    ? { cents: centsFromDecimal(outcome.amount) ?? NaN, requestedAtMs: outcome.requestedAtMs }
    : undefined
}
