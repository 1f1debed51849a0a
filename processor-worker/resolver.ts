import { setTimeout as sleep } from 'node:timers/promises'
import { centsFromDecimal } from '../shared/money.ts'
import type { BookedPayment, TakenPayment } from '../shared/redis/queued-payment.ts'
import type { ProcessorClient } from './processor-client.ts'
import type { SendOutcome } from './outcome.ts'

const BACKOFF_MIN_MS = 50
const BACKOFF_MAX_MS = 5_000

/**
 * Finds out what became of a payment whose outcome is open, at the one processor it was sent to: asks for it, and
 * if it is not there sends it again with the same id and time, until it is booked. No answer short of that ends it,
 * because an earlier attempt may still be on its way. Resolves with undefined only when `signal` aborts.
 *
 * @param onOutcome called with the outcome of each attempt
 */
export async function resolveOutcome(
  payment: TakenPayment,
  client: ProcessorClient,
  onOutcome: (outcome: SendOutcome) => void,
  signal: AbortSignal
): Promise<BookedPayment | undefined> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    const stored = await client.lookup(payment.correlationId)
    if (stored.kind === 'stored') {
      // The books are the processor's: what it stored is what counts.
      const cents = centsFromDecimal(stored.amount) ?? payment.cents
      return { ...payment, cents, requestedAtMs: stored.requestedAtMs }
    }
    if (stored.kind === 'absent') {
      const outcome = await attemptOnce(payment, client)
      onOutcome(outcome)
      if (outcome.kind === 'booked') return payment
    }
    await pause(backoffMs(attempt), signal)
  }
  return undefined
}

/** What became of a payment at the last processor that may book it. */
export type LastOutcome =
  | { kind: 'booked'; payment: BookedPayment }
  | { kind: 'rejected'; reason: string }
  /** It was stopped before there was an answer that decides; nothing is stored here. */
  | { kind: 'not-booked' }

/**
 * Sends a payment that the other processor has refused for good, until it is booked here or refused for good here as
 * well. Once an outcome is unknown no refusal ends it any more, as in `resolveOutcome`. Resolves with undefined
 * when `signal` aborts while the outcome is unknown.
 *
 * @param onOutcome called with the outcome of each attempt
 */
export async function sendToLast(
  payment: TakenPayment,
  client: ProcessorClient,
  onOutcome: (outcome: SendOutcome) => void,
  signal: AbortSignal
): Promise<LastOutcome | undefined> {
  for (let attempt = 0; ; attempt++) {
    const outcome = await attemptOnce(payment, client)
    onOutcome(outcome)
    switch (outcome.kind) {
      case 'booked':
        return { kind: 'booked', payment }
      case 'rejected':
        return outcome
      case 'already-booked':
      case 'unknown': {
        const booked = await resolveOutcome(payment, client, onOutcome, signal)
        return booked && { kind: 'booked', payment: booked }
      }
      case 'not-booked':
        if (!signal.aborted) await pause(backoffMs(attempt), signal)
        if (signal.aborted) return { kind: 'not-booked' }
    }
  }
}

function attemptOnce(payment: TakenPayment, client: ProcessorClient): Promise<SendOutcome> {
  return new Promise(resolve => client.send(payment, payment.requestedAtMs, resolve))
}

function backoffMs(attempt: number): number {
  return Math.min(BACKOFF_MIN_MS * 2 ** attempt, BACKOFF_MAX_MS)
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // Half of it at random, so that hundreds of payments that were lost together don't come back together.
  await sleep(ms / 2 + (Math.random() * ms) / 2, undefined, { signal }).catch(() => undefined)
}
