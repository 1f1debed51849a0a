// The record of an attempt, as it stands in Redis while the payment is in flight:
//
//   <processor> <requestedAt> <worker> #<attempt>[ last][ unresolved]
//
// docs/redis.md shows one; lua/attempts.lua has the questions that our functions in Redis ask of it.
import assert from 'node:assert/strict'
import { isProcessorName, type ProcessorName } from '../payment.ts'

/** Where a payment may be sent. */
export type Choice = { processor: ProcessorName; requestedAtMs: number }

export type AttemptRecord = Choice & {
  /** Empty if it names none. */
  worker: string
  /** Each worker numbers its own, so that no two records of it are alike. Null in a record of version 0.1. */
  attempt: number | null
  /** The other processor has refused the payment for good. */
  isLast: boolean
  /** Another worker has taken the payment over, which stays at this processor until it is settled. */
  isUnresolved: boolean
}

export const LAST = 'last'
export const UNRESOLVED = 'unresolved'

export function renderAttempt({
  processor,
  requestedAtMs,
  worker,
  attempt,
  isLast,
  isUnresolved
}: AttemptRecord): string {
  const words: string[] = [processor, new Date(requestedAtMs).toISOString(), worker]
  if (attempt !== null) words.push(`#${attempt}`)
  if (isLast) words.push(LAST)
  if (isUnresolved) words.push(UNRESOLVED)
  return words.join(' ')
}

/**
 * Undefined if it does not say where the payment may be, which are its first two words: what else stands there is the
 * workers' own.
 */
export function parseAttempt(record: string): AttemptRecord | undefined {
  const [processor, requestedAt = '', worker = '', ...rest] = record.split(' ')
  // As far as `reclaim` looks. Of other texts Date.parse may make some time: of "1" it makes the year 2001.
  const requestedAtMs = /^\d{4}-/.test(requestedAt) ? Date.parse(requestedAt) : NaN
  if (!isProcessorName(processor) || !Number.isSafeInteger(requestedAtMs)) return undefined
  const attempt = /^#(\d+)$/.exec(rest[0] ?? '')?.[1]
  return {
    processor,
    requestedAtMs,
    worker,
    attempt: attempt === undefined ? null : Number(attempt),
    isLast: rest.includes(LAST),
    isUnresolved: rest.includes(UNRESOLVED)
  }
}

/** The same of a record that a worker must have written. */
export function attemptOf(record: string): AttemptRecord {
  const parsed = parseAttempt(record)
  assert(parsed, `not a record: ${record}`)
  return parsed
}

/** Whether the other processor has refused this payment for good. */
export function isLast({ record }: { record: string }): boolean {
  return parseAttempt(record)?.isLast === true
}
