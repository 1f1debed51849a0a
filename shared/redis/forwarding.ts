import type { Redis } from 'ioredis'
import { digitsOf } from '../id-memory.ts'
import { WORKER_GROUP, type Keys } from '../keys.ts'
import { renderAttempt, type Choice } from './attempt-record.ts'
import { callFunction } from './library.ts'
import { malformedEntries, queuedPayment, type MalformedEntry, type TakenPayment } from './queued-payment.ts'
import { list, text, wholeNumber } from './replies.ts'

/** From the queue to a processor, and on from there if it is not booked; settling.ts counts what is. */
export function createForwarding(redis: Redis, keys: Keys) {
  let attemptCount = 0
  /**
   * No two records of a worker are alike, whatever its clock does: a late refusal frees the attempt that it answers,
   * and no other.
   */
  const newRecord = (worker: string, choice: Choice, isLast: boolean) =>
    renderAttempt({ ...choice, worker, attempt: ++attemptCount, isLast, isUnresolved: false })

  return {
    /**
     * Takes up to `countMax` payments for one processor and records that choice.
     *
     * @param only.minAgeMs only payments accepted at least so long ago; undefined for any
     * @param only.leaveCount only as long as more than so many wait
     * @returns `more`: whether there may be more to take; if not, all that comes after `newestEntryId` is new.
     *   `waitingCount`: payments that wait afterwards, free for either processor. `malformed`: entries that were no
     *   payments, and are dead letters now
     */
    async take(
      worker: string,
      choice: Choice,
      countMax: number,
      only: { minAgeMs?: number; leaveCount?: number } = {}
    ): Promise<{
      payments: TakenPayment[]
      more: { kind: 'maybe' } | { kind: 'none'; newestEntryId: string }
      waitingCount: number
      malformed: MalformedEntry[]
    }> {
      const record = newRecord(worker, choice, false)
      const args = [WORKER_GROUP, worker, record, countMax, only.minAgeMs ?? '', only.leaveCount ?? 0]
      const callKeys = [keys.queue, keys.inFlight, keys.deadLetters, keys.clock]
      const [newest, waiting, malformed, ...flat] = list(await callFunction(redis, 'take', callKeys, args))
      const payments: TakenPayment[] = []
      for (let at = 0; at < flat.length; at += 3) {
        payments.push({ ...queuedPayment(flat, at), ...choice, record })
      }
      return {
        payments,
        more: newest === '' ? { kind: 'maybe' } : { kind: 'none', newestEntryId: text(newest) },
        waitingCount: wholeNumber(waiting),
        malformed: malformedEntries(malformed)
      }
    },

    /** Frees payments that their processor has not booked; returns how many were still this worker's to free. */
    async release(notBooked: readonly TakenPayment[]): Promise<number> {
      const args = [WORKER_GROUP, ...notBooked.flatMap(payment => [payment.entryId, payment.record])]
      return wholeNumber(await callFunction(redis, 'release', [keys.queue, keys.inFlight], args))
    },

    /**
     * Sends a payment that its processor refused for good to the other one, the last that may book it.
     * Undefined if it is not ours any more.
     */
    async passOn(rejected: TakenPayment, worker: string, choice: Choice): Promise<TakenPayment | undefined> {
      const record = newRecord(worker, choice, true)
      const args = [rejected.entryId, rejected.record, record]
      const isOurs = wholeNumber(await callFunction(redis, 'pass_on', [keys.inFlight], args)) === 1
      return isOurs ? { ...rejected, ...choice, record } : undefined
    },

    /** Moves a payment that both processors refused for good to the dead letters. False if it is not ours any more. */
    async bury(rejected: TakenPayment, reason: string): Promise<boolean> {
      const callKeys = [keys.queue, keys.inFlight, keys.deadLetters, keys.idPeriods, keys.idNodes]
      const args = [WORKER_GROUP, rejected.entryId, rejected.record, reason, digitsOf(rejected.correlationId)]
      return wholeNumber(await callFunction(redis, 'bury', callKeys, args)) === 1
    }
  }
}
