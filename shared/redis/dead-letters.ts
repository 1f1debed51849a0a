import type { Redis } from 'ioredis'
import { digitsOf, isUuid } from '../id-memory.ts'
import type { Keys } from '../keys.ts'
import { centsFromDigits } from '../money.ts'
import { untilRemembered } from './id-periods.ts'
import { callFunction } from './library.ts'
import type { QueuedPayment } from './queued-payment.ts'
import { oneOf } from './replies.ts'

export type DeadLetter =
  /** A payment that both processors refused for good; `entryId` is the one it was accepted under. */
  | (QueuedPayment & { kind: 'payment'; letterId: string; attempt: string; reason: string })
  /** What stood in the queue, or among the dead letters, and is no payment: its fields as text. */
  | { kind: 'malformed'; letterId: string; fields: string; reason: string }

/** What became of a dead letter; `known`: its id was forgotten, accepted again, and would be paid twice. */
const REDRIVEN = ['redriven', 'gone', 'malformed', 'known'] as const
export type Redriven = (typeof REDRIVEN)[number]

const DISCARDED = ['discarded', 'gone', 'payment'] as const
export type Discarded = (typeof DISCARDED)[number]

/** What operators do with dead letters. */
export function createDeadLetters(redis: Redis, keys: Keys, idRetentionHours: number) {
  const retentionMs = idRetentionHours * 3_600_000
  return {
    /** Up to `countMax` dead letters, the oldest first, after the one with this id. */
    async deadLetters(countMax: number, after?: string): Promise<DeadLetter[]> {
      const start = after === undefined ? '-' : `(${after}`
      const letters = await redis.xrange(keys.deadLetters, start, '+', 'COUNT', countMax)
      return letters.map(([letterId, fields]) => deadLetterOf(letterId, fields))
    },

    /** Id of the newest dead letter; undefined if there is none. */
    async newestDeadLetter(): Promise<string | undefined> {
      return (await redis.xrevrange(keys.deadLetters, '+', '-', 'COUNT', 1))[0]?.[0]
    },

    /** Puts a dead letter back into the queue. */
    async redrive({ letterId, correlationId }: { letterId: string; correlationId: string }): Promise<Redriven> {
      const callKeys = [keys.queue, keys.deadLetters, keys.clock, keys.idPeriods, keys.idNodes]
      const args = [letterId, retentionMs, digitsOf(correlationId)]
      return oneOf(
        REDRIVEN,
        await untilRemembered(redis, keys, idRetentionHours, () => callFunction(redis, 'redrive', callKeys, args))
      )
    },

    /** Forgets a dead letter that is no payment. */
    async discard(letterId: string): Promise<Discarded> {
      return oneOf(DISCARDED, await callFunction(redis, 'discard', [keys.deadLetters], [letterId]))
    }
  }
}

/** Letters are written by `bury` and `take`; whatever else stands there, somebody else put it there. */
function deadLetterOf(letterId: string, fields: readonly string[]): DeadLetter {
  const value = (name: string) => {
    const at = fields.indexOf(name)
    return at < 0 || at % 2 === 1 ? undefined : fields[at + 1]
  }
  const [correlationId, cents] = [value('correlationId'), centsFromDigits(value('cents') ?? '')]
  const reason = value('reason') ?? 'it is no dead letter of the pipeline'
  if (
    correlationId === undefined ||
    !isUuid(correlationId) ||
    cents === undefined ||
    fields[0] !== 'correlationId' ||
    fields[2] !== 'cents'
  ) {
    return { kind: 'malformed', letterId, fields: value('fields') ?? JSON.stringify(fields), reason }
  }
  return {
    kind: 'payment',
    letterId,
    entryId: value('accepted') ?? '',
    correlationId,
    cents,
    attempt: value('attempt') ?? '',
    reason
  }
}
