import type { Redis } from 'ioredis'
import { WORKER_GROUP, type Keys } from '../keys.ts'
import { attemptOf } from './attempt-record.ts'
import { callFunction } from './library.ts'
import { malformedEntries, queuedPayment, type MalformedEntry, type TakenPayment } from './queued-payment.ts'
import { list, text, wholeNumber } from './replies.ts'

/** Who lives, and how what the dead had in flight finds a new worker. */
export function createTakeover(redis: Redis, keys: Keys) {
  return {
    /**
     * Shows that `worker` lives; returns the time that everybody goes by, how many payments are pending for it, how
     * many workers live, and the names of the dead.
     */
    async beat(
      worker: string,
      deadAfterMs: number
    ): Promise<{ nowMs: number; pendingCount: number; workerCount: number; deadWorkers: string[] }> {
      const callKeys = [keys.queue, keys.workers, keys.clock]
      const reply = await callFunction(redis, 'beat', callKeys, [WORKER_GROUP, worker, deadAfterMs])
      const [nowMs, pendingCount, workerCount, ...deadWorkers] = list(reply)
      return {
        nowMs: Number(text(nowMs)),
        pendingCount: wholeNumber(pendingCount),
        workerCount: wholeNumber(workerCount),
        deadWorkers: deadWorkers.map(text)
      }
    },

    /** Up to `countMax` entry ids that are pending for a worker, oldest first, after this one. */
    async pending(worker: string, countMax: number, after?: string): Promise<string[]> {
      const start = after === undefined ? '-' : `(${after}`
      const reply = await redis.xpending(keys.queue, WORKER_GROUP, start, '+', countMax, worker)
      return list(reply).map(entry => text(list(entry)[0]))
    },

    /** Forgets a dead worker; false while it has payments pending. */
    async retire(worker: string): Promise<boolean> {
      const reply = await callFunction(redis, 'retire', [keys.queue, keys.workers], [WORKER_GROUP, worker])
      return wholeNumber(reply) === 1
    },

    /**
     * Takes over what is pending for whoever had it. Each payment that may have been sent stays at its processor until
     * it is settled; what nobody can have sent becomes free.
     */
    async reclaim(
      worker: string,
      entryIds: readonly string[]
    ): Promise<{ payments: TakenPayment[]; freedCount: number; malformed: MalformedEntry[] }> {
      const callKeys = [keys.queue, keys.inFlight, keys.deadLetters]
      const reply = await callFunction(redis, 'reclaim', callKeys, [WORKER_GROUP, worker, ...entryIds])
      const [freedCount, malformed, ...flat] = list(reply)
      const payments: TakenPayment[] = []
      for (let at = 0; at < flat.length; at += 4) {
        const record = text(flat[at + 3])
        const { processor, requestedAtMs } = attemptOf(record)
        payments.push({ ...queuedPayment(flat, at), processor, requestedAtMs, record })
      }
      return { payments, freedCount: wholeNumber(freedCount), malformed: malformedEntries(malformed) }
    }
  }
}
