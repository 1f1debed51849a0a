import assert from 'node:assert/strict'
import type { Redis } from 'ioredis'
import { digitsOf, parseIdRecord } from '../id-memory.ts'
import type { Keys } from '../keys.ts'
import type { Cents } from '../money.ts'
import type { Payment } from '../payment.ts'
import { attemptOf, type Choice } from './attempt-record.ts'
import { untilRemembered } from './id-periods.ts'
import { callFunction } from './library.ts'
import { list, text, wholeNumber } from './replies.ts'

/** What became of a payment that a client asked to accept; only `accepted` changed anything. */
export type Acceptance = 'accepted' | 'duplicate' | 'conflict' | 'full'
const ACCEPTANCES: Record<string, Acceptance> = { A: 'accepted', D: 'duplicate', C: 'conflict', F: 'full' }

/** Where a payment is. */
export type Whereabouts =
  | { status: 'queued' | 'dead-letter'; cents: Cents }
  | ({ status: 'in-flight' | 'settled'; cents: Cents } & Choice)
  /** Settled, but the record of where is gone. */
  | { status: 'settled'; cents: Cents }

/** What gateways do for clients: accept payments, and find them again. */
export function createAccepting(redis: Redis, keys: Keys, idRetentionHours: number) {
  const retentionMs = idRetentionHours * 3_600_000
  const acceptKeys = [keys.queue, keys.clock, keys.idPeriods, keys.idNodes]
  const findKeys = [keys.queue, keys.inFlight, keys.idPeriods, keys.idNodes]
  return {
    /** Appends new payments in order, as long as there is room for `queuedMax`; tells of each what became of it. */
    async accept(payments: readonly Payment[], queuedMax: number): Promise<Acceptance[]> {
      const args: (string | number)[] = [queuedMax, retentionMs]
      for (const { correlationId, cents } of payments) args.push(digitsOf(correlationId), correlationId, cents)
      const letters = text(
        await untilRemembered(redis, keys, idRetentionHours, () => callFunction(redis, 'accept', acceptKeys, args))
      )
      assert(letters.length === payments.length, 'expected a letter for each payment')
      return Array.from(letters, letter => {
        const acceptance = ACCEPTANCES[letter]
        assert(acceptance !== undefined, `not an acceptance: ${letter}`)
        return acceptance
      })
    },

    /** Where a payment is; undefined if its id is not known, or not any more. */
    async find(correlationId: string): Promise<Whereabouts | undefined> {
      const reply = list(await callFunction(redis, 'find', findKeys, [digitsOf(correlationId)]))
      if (reply.length === 0) return undefined
      const [idRecord, attemptRecord, isUnsettled] = reply
      return whereaboutsOf(text(idRecord), text(attemptRecord), wholeNumber(isUnsettled) === 1)
    }
  }
}

/** @param attemptRecord '' for none */
function whereaboutsOf(idRecord: string, attemptRecord: string, isUnsettled: boolean): Whereabouts {
  const parsed = parseIdRecord(idRecord)
  const { cents } = parsed
  if (parsed.state === 'settled')
    return { status: 'settled', cents, processor: parsed.processor, requestedAtMs: parsed.requestedAtMs }
  if (parsed.state === 'dead-letter') return { status: 'dead-letter', cents }
  if (!isUnsettled) return { status: 'settled', cents }
  if (attemptRecord === '') return { status: 'queued', cents }
  const { processor, requestedAtMs } = attemptOf(attemptRecord)
  return { status: 'in-flight', cents, processor, requestedAtMs }
}
