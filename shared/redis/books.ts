import type { Redis } from 'ioredis'
import type { Keys } from '../keys.ts'
import type { ProcessorName } from '../payment.ts'
import { functionName } from './library.ts'
import { sumCall, totalsOfSum, type TimeRange, type Totals } from './totals.ts'

/** Our books over a range, and the records of all that is in flight at the same moment. */
export type Books = {
  totals: Record<ProcessorName, Totals>
  /** Entry id → record, as it is written. */
  records: Record<string, string>
}

/**
 * Reads both in one step: what a processor has booked and the totals lack is among what is in flight. The library must
 * be loaded.
 *
 * @throws ReplyError as Redis gave it, or a connection error
 */
export async function readBooks(redis: Redis, keys: Keys, range: TimeRange): Promise<Books> {
  const { callKeys, args } = sumCall(keys, range)
  const replies =
    (await redis
      .multi()
      .call('FCALL', functionName('sum'), callKeys.length, ...callKeys, ...args)
      .hgetall(keys.inFlight)
      .exec()) ?? []
  for (const [error] of replies) if (error) throw error
  return { totals: totalsOfSum(replies[0]?.[1]), records: replies[1]?.[1] as Record<string, string> }
}
