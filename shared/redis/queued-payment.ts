import assert from 'node:assert/strict'
import { centsFromDigits } from '../money.ts'
import type { Payment } from '../payment.ts'
import type { Choice } from './attempt-record.ts'
import { pairs } from './replies.ts'

/** A payment with its place in the queue. */
export type QueuedPayment = Payment & { entryId: string }

/** A payment that a worker holds, and the exact record it holds it under. */
export type TakenPayment = QueuedPayment & Choice & { record: string }

/** A payment that its processor has booked, with the amount and time that are stored there. */
export type BookedPayment = QueuedPayment & { requestedAtMs: number }

/** An entry of the queue that is no payment, and why. */
export type MalformedEntry = { entryId: string; reason: string }

/** From { entry id, correlationId, cents } at a place in a flat list. */
export function queuedPayment(flat: readonly unknown[], at: number): QueuedPayment {
  const [entryId, correlationId, digits] = [flat[at], flat[at + 1], flat[at + 2]]
  const cents = typeof digits === 'string' ? centsFromDigits(digits) : undefined
  assert(
    typeof entryId === 'string' && typeof correlationId === 'string' && cents !== undefined,
    `not a payment: entry ${String(entryId)}`
  )
  return { entryId, correlationId, cents }
}

export function malformedEntries(reply: unknown): MalformedEntry[] {
  return pairs(reply).map(([entryId, reason]) => ({ entryId, reason }))
}
