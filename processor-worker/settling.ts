import { PROCESSOR_NAMES } from '../shared/payment.ts'
import { replyErrorCode } from '../shared/redis/errors.ts'
import type { BookedPayment } from '../shared/redis/queued-payment.ts'
import type { Functions } from '../shared/redis/functions.ts'
import { NEVER_MS } from './time.ts'
import type { EntriesInHand } from './in-hand.ts'
import type { Lane, Lanes } from './lane.ts'
import type { LoopLog } from './watching/loop-log.ts'

export type Settling = {
  /**
   * Counts payments that the lane's processor has booked. Those that Redis cannot count become the lane's uncountable
   * ones; at any other failure, which is thrown, all stay booked.
   */
  settle: (lane: Lane, batch: BookedPayment[]) => Promise<void>
  /** Lets what could not be counted be tried again, once in a while. */
  retryUncountable: (nowMs: number) => void
  uncountableCount: () => number
}

export type SettlingOptions = {
  functions: Functions
  lanes: Lanes
  inHand: EntriesInHand
  loopLog: LoopLog
}

/** One settle call holds this many at most, so that it never keeps Redis busy for more than about a millisecond. */
export const SETTLE_MAX = 256
/** How often what could not be counted is tried again. */
const UNCOUNTABLE_TICK_MS = 5_000

export function createSettling({ functions, lanes, inHand, loopLog }: SettlingOptions): Settling {
  let triedUncountableAtMs = NEVER_MS

  const settle = async (lane: Lane, batch: BookedPayment[]): Promise<void> => {
    try {
      const settledCount = await functions.settle(lane.processor, batch)
      lane.tally.settled += settledCount
    } catch (error) {
      if (replyErrorCode(error) !== 'TOTALS') {
        lane.booked.unshift(...batch)
        throw error
      }
      if (batch.length > 1) {
        // Those whose totals are as they should be are counted all the same.
        const half = Math.ceil(batch.length / 2)
        await settle(lane, batch.slice(0, half)).finally(() => settle(lane, batch.slice(half)))
        return
      }
      lane.uncountable.push(...batch)
      loopLog.redisTrouble.begin(error)
      return
    }
    for (const { entryId } of batch) inHand.settled(entryId)
  }

  return {
    settle,
    retryUncountable(nowMs) {
      if (nowMs - triedUncountableAtMs < UNCOUNTABLE_TICK_MS) return
      triedUncountableAtMs = nowMs
      for (const processor of PROCESSOR_NAMES) {
        const { booked, uncountable } = lanes[processor]
        booked.push(...uncountable.splice(0))
      }
    },
    uncountableCount: () => lanes.default.uncountable.length + lanes.fallback.uncountable.length
  }
}
