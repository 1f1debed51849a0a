import { Pool } from 'undici'
import type { ProcessorName } from '../../shared/payment.ts'
import type { Totals } from '../../shared/redis/totals.ts'
import { lookupOfAnswer, type LookupOutcome } from '../outcome.ts'
import type { Range } from './audit-in-flight.ts'

/** A processor, as the audit asks it. */
export type AuditedProcessor = {
  /** What its books come to over a range. Throws where it does not tell. */
  summary: (range: Range) => Promise<Totals>
  /** What it has of one payment. Never rejects. */
  lookup: (correlationId: string) => Promise<LookupOutcome>
  close: () => Promise<void>
}

export type AuditedProcessors = Record<ProcessorName, AuditedProcessor>

export const LOOKUPS_AT_ONCE = 32

export function createAuditedProcessor(origin: string, token: string, timeoutMs: number): AuditedProcessor {
  const pool = new Pool(origin, { connections: LOOKUPS_AT_ONCE, headersTimeout: timeoutMs, bodyTimeout: timeoutMs })
  return {
    async summary({ fromMs, toMs }) {
      const [from, to] = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()]
      const { statusCode, body } = await pool.request({
        path: `/admin/payments-summary?from=${from}&to=${to}`,
        method: 'GET',
        headers: { 'x-rinha-token': token }
      })
      const text = await body.text()
      if (statusCode !== 200)
        throw new Error(`a processor answered ${statusCode} to the admin summary: is PROCESSOR_TOKEN right?`)
      const { totalRequests, totalAmount } = JSON.parse(text) as { totalRequests: number; totalAmount: number }
      return { requests: BigInt(totalRequests), cents: BigInt(Math.round(totalAmount * 100)) }
    },
    async lookup(correlationId) {
      try {
        const { statusCode, body } = await pool.request({ path: `/payments/${correlationId}`, method: 'GET' })
        return lookupOfAnswer(statusCode, await body.text(), correlationId)
      } catch (error) {
        return { kind: 'unknown', reason: error instanceof Error ? error.message : String(error) }
      }
    },
    close: () => pool.destroy()
  }
}
