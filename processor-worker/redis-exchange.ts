import { PROCESSOR_NAMES } from '../shared/payment.ts'
import type { Lanes } from './lane.ts'
import type { Returning } from './returning.ts'
import type { Take } from './routing.ts'
import { SETTLE_MAX, type Settling } from './settling.ts'

export type ExchangeOptions = {
  lanes: Lanes
  settling: Settling
  returning: Returning
  take: (take: Take) => Promise<void>
  stopping: AbortSignal
}

/**
 * One round trip to Redis, in which all calls share the way: settles, frees, passes on and takes. Throws the first
 * failure after all of them are answered; what the others did is done.
 */
export function createExchange({ lanes, settling, returning, take, stopping }: ExchangeOptions) {
  return async (takes: readonly Take[]): Promise<void> => {
    const calls: Promise<void>[] = []
    for (const processor of PROCESSOR_NAMES) {
      const lane = lanes[processor]
      if (lane.booked.length > 0) calls.push(settling.settle(lane, lane.booked.splice(0, SETTLE_MAX)))
      if (lane.notBooked.length > 0) calls.push(returning.release(lane, lane.notBooked.splice(0, SETTLE_MAX)))
      if (stopping.aborted) lane.freeRejected()
      for (const rejected of returning.nextRejected(lane)) calls.push(returning.reject(lane, rejected))
    }
    for (const each of takes) calls.push(take(each))
    for (const result of await Promise.allSettled(calls)) {
      if (result.status === 'rejected') throw result.reason
    }
  }
}
