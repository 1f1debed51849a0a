import { decimalFromCents } from '../shared/money.ts'
import type { Whereabouts } from '../shared/redis/accepting.ts'

/** The body of `GET /payments/{correlationId}`. Processor and time are there once one was chosen. */
export function renderPayment(correlationId: string, whereabouts: Whereabouts): string {
  const { status, cents } = whereabouts
  const choice =
    'processor' in whereabouts
      ? `,"processor":"${whereabouts.processor}","requestedAt":"${new Date(whereabouts.requestedAtMs).toISOString()}"`
      : ''
  return `{"correlationId":"${correlationId}","amount":${decimalFromCents(cents)},"status":"${status}"${choice}}`
}
