import type { Log } from '../shared/log.ts'
import type { ProcessorName } from '../shared/payment.ts'
import type { Functions } from '../shared/redis/functions.ts'
import type { MalformedEntry, TakenPayment } from '../shared/redis/queued-payment.ts'
import type { TroubleReport } from '../shared/watching/report.ts'
import { Backlog } from './backlog.ts'
import type { ProcessorClient } from './processor-client.ts'
import { createExchange } from './redis-exchange.ts'
import { EntriesInHand } from './in-hand.ts'
import { Lane, type LaneOptions } from './lane.ts'
import { createLatch } from './latch.ts'
import { eventsOf, type Published } from './preferred.ts'
import { createReturning } from './returning.ts'
import { runRounds } from './rounds.ts'
import { breakerLimitsOf, type RoutingParameters } from './routing-parameters.ts'
import { createSending } from './sending.ts'
import { createSettling } from './settling.ts'
import { createTaking } from './taking.ts'
import type { Tally } from './tally.ts'
import { createLoopLog } from './watching/loop-log.ts'
import type { LaneView } from './watching/report.ts'

export type WorkerLoop = {
  /** To be called when the preferred processor changes. */
  onPreferred: (published: Published) => void
  /** How many workers live, this one included. */
  onWorkerCount: (count: number) => void
  /** Whether this worker knows of the payment: it is being sent, asked for, or about to be settled. */
  hasInHand: (entryId: string) => boolean
  /** What it has of each processor now. */
  view: () => Record<ProcessorName, LaneView>
  /** Payments that somebody else had in flight and that are ours now: finds out what became of them. */
  adopt: (payments: readonly TakenPayment[]) => void
  /** Entries of the queue that were found to be no payments. */
  onMalformed: (entries: readonly MalformedEntry[]) => void
  /** What it cannot do with Redis now. */
  trouble: () => TroubleReport | undefined
  /**
   * Stops taking, waits for the answers under way and settles them. What is still open then stays on record for a
   * successor.
   */
  drain: () => Promise<void>
  /** Rejects when an invariant is broken. */
  crashed: Promise<never>
}

export type WorkerLoopOptions = {
  name: string
  functions: Functions
  clients: Record<ProcessorName, ProcessorClient>
  /** Resolves when there may be payments newer than an entry id. */
  waitForArrival: (entryId: string) => Promise<void>
  routing: RoutingParameters
  exchangeEveryMs: number
  /** A monotonic clock in ms, for everything that is decided here. */
  nowMs: () => number
  /** The time that a payment is sent with. */
  requestedAtMs: () => number
  /** Counts what this loop does. */
  tally: Tally
  log: Log
}

/**
 * Puts the parts of a worker's loop together, and starts it. The rounds decide, by routing.ts, when to exchange with
 * Redis and what to take. What is taken is sent; each answer goes into its processor's lane, and opens the latch for
 * the next round, whose exchange settles it, or frees or passes on what was refused.
 */
export function startWorkerLoop(options: WorkerLoopOptions): WorkerLoop {
  const { name, functions, clients, routing, exchangeEveryMs, nowMs, requestedAtMs, tally } = options
  const loopLog = createLoopLog(options.log)
  const latch = createLatch()
  const stop = new AbortController()
  const stopping = stop.signal

  const inHand = new EntriesInHand()
  const backlog = new Backlog(options.waitForArrival, latch.open)
  const limits = breakerLimitsOf(routing)
  const onBreakerTurned: LaneOptions['onBreakerTurned'] = (lane, before, atMs) =>
    loopLog.breakerTurned(lane, before, atMs, backlog.waitingCount)
  const newLane = (processor: ProcessorName) =>
    new Lane({ processor, client: clients[processor], limits, tally: tally[processor], onBreakerTurned })
  const lanes = { default: newLane('default'), fallback: newLane('fallback') }

  const parts = { name, functions, lanes, inHand, backlog, latch, stopping, routing, nowMs, requestedAtMs, loopLog }
  const sending = createSending(parts)
  const settling = createSettling(parts)
  const returning = createReturning({ ...parts, sending })
  const take = createTaking({ ...parts, sending })
  const exchange = createExchange({ ...parts, settling, returning, take })
  const running = runRounds({ ...parts, settling, exchange, exchangeEveryMs })

  return {
    onPreferred(published) {
      loopLog.preferredChanged(published)
      if (published === null) return
      for (const [processor, event] of eventsOf(published)) lanes[processor].note(event, nowMs())
      latch.open()
    },
    onWorkerCount(count) {
      backlog.workerCount = count
    },
    onMalformed: loopLog.malformed,
    trouble: loopLog.redisTrouble.current,
    hasInHand: entryId => inHand.has(entryId),
    view: () => ({ default: lanes.default.observed, fallback: lanes.fallback.observed }),
    adopt: sending.adopt,
    async drain() {
      // An open outcome may take as long as its processor does; the successor asks for it just as well.
      stop.abort()
      latch.open()
      await running
      loopLog.flush()
    },
    // It never resolves: a loop that has ended as it should is no crash.
    crashed: running.then(() => new Promise<never>(() => undefined))
  }
}
