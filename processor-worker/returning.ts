import { otherThan, PROCESSOR_NAMES, type ProcessorName } from '../shared/payment.ts'
import { isLast } from '../shared/redis/attempt-record.ts'
import type { Functions } from '../shared/redis/functions.ts'
import type { TakenPayment } from '../shared/redis/queued-payment.ts'
import type { Backlog } from './backlog.ts'
import type { EntriesInHand } from './in-hand.ts'
import type { Lane, Lanes, Rejected } from './lane.ts'
import type { RoutingParameters } from './routing-parameters.ts'
import type { Sending } from './sending.ts'
import type { LoopLog } from './watching/loop-log.ts'

export type Returning = {
  /**
   * Frees what a processor did not book, for any worker and either processor. At a failure, which is thrown, all stay.
   */
  release: (lane: Lane, batch: TakenPayment[]) => Promise<void>
  /** Takes the rejected payments out of the lane, but for those whose next processor has all it may have. */
  nextRejected: (lane: Lane) => Rejected[]
  /**
   * To the other processor, if that was not asked yet, else to the dead letters. At a failure, which is thrown, it
   * stays with its lane.
   */
  reject: (lane: Lane, rejected: Rejected) => Promise<void>
}

export type ReturningOptions = {
  /** The worker's name. */
  name: string
  functions: Functions
  lanes: Lanes
  inHand: EntriesInHand
  backlog: Backlog
  sending: Sending
  routing: Pick<RoutingParameters, 'inFlightMax'>
  requestedAtMs: () => number
  loopLog: LoopLog
}

/** What becomes of payments that a processor has not booked. */
export function createReturning(options: ReturningOptions): Returning {
  const { name, functions, lanes, inHand, backlog, sending, routing, requestedAtMs, loopLog } = options

  const bury = async (rejected: Rejected) => {
    const { payment, reason } = rejected
    const isBuried = await functions.bury(
      payment,
      `${otherThan(payment.processor)} refused it for good, then ${payment.processor}: ${reason}`
    )
    if (isBuried) loopLog.deadLetters.note(rejected)
  }

  const passOn = async (rejected: Rejected) => {
    const { payment } = rejected
    const choice = { processor: otherThan(payment.processor), requestedAtMs: requestedAtMs() }
    const passed = await functions.passOn(payment, name, choice)
    if (passed) {
      loopLog.passedOn.note(rejected)
      sending.sendLast(passed)
    }
  }

  return {
    async release(lane, batch) {
      try {
        await functions.release(batch)
      } catch (error) {
        lane.notBooked.unshift(...batch)
        throw error
      }
      for (const payment of batch) inHand.letGo(payment)
      backlog.mayHaveMore = true
    },

    nextRejected(lane) {
      const room: Record<ProcessorName, number> = { default: 0, fallback: 0 }
      for (const processor of PROCESSOR_NAMES)
        room[processor] = routing.inFlightMax - lanes[processor].observed.inFlightCount
      const later: Rejected[] = []
      const next = lane.rejected.filter(rejected => {
        if (isLast(rejected.payment) || room[otherThan(rejected.payment.processor)]-- > 0) return true
        later.push(rejected)
        return false
      })
      lane.rejected = later
      return next
    },

    async reject(lane, rejected) {
      try {
        await (isLast(rejected.payment) ? bury(rejected) : passOn(rejected))
      } catch (error) {
        lane.rejected.push(rejected)
        throw error
      }
      lane.observed.finished(1)
      inHand.letGo(rejected.payment)
    }
  }
}
