import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../shared/log.ts'
import { otherThan, PROCESSOR_NAMES, type ProcessorName } from '../shared/payment.ts'
import {
  isLast,
  replyErrorCode,
  type BookedPayment,
  type Functions,
  type MalformedEntry,
  type TakenPayment
} from '../shared/redis/functions.ts'
import { record } from '../shared/watching/histogram.ts'
import type { TroubleReport } from '../shared/watching/report.ts'
import { NEVER_MS, type BreakerEvent } from './breaker.ts'
import { createBurst } from './burst.ts'
import type { ProcessorClient } from './client.ts'
import { createLatch } from './latch.ts'
import { eventsOf, Observed } from './observed.ts'
import type { SendOutcome } from './outcome.ts'
import type { Published } from './preferred.ts'
import { resolveOutcome, sendToLast } from './resolver.ts'
import { breakerLimitsOf, chooseTakes, type RoutingFacts, type Take } from './routing.ts'
import type { LaneView } from './watching/report.ts'
import type { RoutingParameters } from './routing-parameters.ts'
import type { LaneTally, Tally } from './tally.ts'
import { createTrouble } from './trouble.ts'

export type WorkerLoop = {
  /** The health monitor's word, as it changes. */
  onPublished: (published: Published) => void
  /** How many workers live, this one included. */
  onWorkerCount: (count: number) => void
  /** Whether this worker knows of the payment: it is being sent, asked for, or about to be settled. */
  holds: (entryId: string) => boolean
  /** What it has of each processor now. */
  view: () => Record<ProcessorName, LaneView>
  /** Payments that somebody else had in flight and that are ours now: finds out what became of them. */
  adopt: (payments: readonly TakenPayment[]) => void
  /** Entries of the queue that were found to be no payments. */
  onMalformed: (entries: readonly MalformedEntry[]) => void
  /** What it can not do with Redis now. */
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
  /** A clock that is never set, for everything that is decided here. */
  nowMs: () => number
  /** The time that a payment is sent with. */
  requestedAtMs: () => number
  /** Counts what this loop does. */
  tally: Tally
  log: Log
}

/** What one processor has in hand. */
type Lane = {
  observed: Observed
  tally: LaneTally
  /** Why its last refusal or missing answer came about. */
  lastTrouble: string | undefined
  booked: BookedPayment[]
  refused: TakenPayment[]
  /** Refused for good here; still in flight, until the other processor or the dead letters have it. */
  rejected: { payment: TakenPayment; reason: string }[]
  /** Booked, but Redis can't count it: what stands in the totals is no number. */
  uncountable: BookedPayment[]
}

/** One settle call holds this many at most, so that it never keeps Redis busy for more than about a millisecond. */
const SETTLE_MAX = 256
/** How often waiting payments are looked at while some processor is not usable. */
const TROUBLE_TICK_MS = 20
/** How often a quiet worker looks at what other workers may have freed. */
const QUIET_TICK_MS = 1_000
const REDIS_RETRY_MS = 100
/** How often what could not be counted is tried again. */
const UNCOUNTABLE_TICK_MS = 5_000
/** Of events that befall single payments, one line in so long. */
const BURST_MS = 10_000

/**
 * The worker's one loop. Each round is one exchange with Redis: settle what was booked, free what was
 * refused, take what there is room for. Answers that come in meanwhile wait for the next round, so
 * that the batches grow with the load by themselves.
 */
export function createWorkerLoop(options: WorkerLoopOptions): WorkerLoop {
  const { name, functions, clients, routing, nowMs, requestedAtMs, tally, log } = options
  const newLane = (processor: ProcessorName): Lane => ({
    observed: new Observed(breakerLimitsOf(routing)),
    tally: tally[processor],
    lastTrouble: undefined,
    booked: [],
    refused: [],
    rejected: [],
    uncountable: []
  })
  const lanes: Record<ProcessorName, Lane> = { default: newLane('default'), fallback: newLane('fallback') }
  /** Entry id → the record it was handed to us under, from then until nobody here works on it any more. */
  const held = new Map<string, string>()
  const latch = createLatch()
  const resolving = new AbortController()
  let isStopping = false
  let mayHaveMore = true
  let isWaitingForArrival = false
  let tookAtMs = 0
  let waitingCount = 0
  let workerCount = 1
  let triedUncountableAtMs = 0
  const redisTrouble = createTrouble('exchange', {
    onBegin: error => {
      log.error({ err: error }, 'Redis does not do its part')
    },
    onEnd: afterMs => {
      log.warn({ afterMs }, 'Redis does its part again')
    }
  })
  type Rejected = Lane['rejected'][number]
  const deadLetters = createBurst<Rejected>(BURST_MS, (count, { payment, reason }) => {
    log.error({ count, entryId: payment.entryId, processor: payment.processor, reason }, 'dead letter')
  })
  const passedOn = createBurst<Rejected>(BURST_MS, (count, { payment, reason }) => {
    log.warn(
      { count, entryId: payment.entryId, processor: payment.processor, reason },
      'refused for good, goes to the other processor'
    )
  })
  const malformed = createBurst<MalformedEntry>(BURST_MS, (count, entry) => {
    log.error({ count, ...entry }, 'an entry of the queue is no payment: it is a dead letter now')
  })
  const onMalformed = (entries: readonly MalformedEntry[]) => {
    for (const entry of entries) malformed.note(entry)
  }

  // ---- what happens to a payment ------------------------------------------------------------

  /** Lets a processor's lane see something, and says when that opens or closes its breaker. */
  const see = (processor: ProcessorName, what: (observed: Observed) => void) => {
    const { observed, lastTrouble } = lanes[processor]
    const before = observed.breaker
    what(observed)
    if (before.state === observed.breaker.state) return
    const figures = { processor, inFlight: observed.inFlightCount, waiting: waitingCount }
    if (observed.breaker.state === 'closed')
      log.info({ ...figures, afterMs: nowMs() - before.sinceMs }, 'breaker closed')
    else log.warn({ ...figures, lastTrouble }, 'breaker opened')
  }
  const count = (lane: Lane, outcome: SendOutcome) => {
    lane.tally.answers[outcome.kind] += 1
    if ('reason' in outcome) lane.lastTrouble = outcome.reason
  }
  const note = (processor: ProcessorName, event: BreakerEvent) => {
    see(processor, observed => {
      observed.note(event, nowMs())
    })
  }

  // A processor that rejects a payment for good is at work.
  const isAtWork = ({ kind }: SendOutcome) => kind === 'booked' || kind === 'already-booked' || kind === 'rejected'

  const send = (payment: TakenPayment) => {
    const lane = lanes[payment.processor]
    const sentAtMs = nowMs()
    held.set(payment.entryId, payment.record)
    lane.observed.sent(1, sentAtMs)
    clients[payment.processor].send(payment, payment.requestedAtMs, outcome => {
      const answeredAtMs = nowMs()
      count(lane, outcome)
      record(lane.tally.latency, answeredAtMs - sentAtMs)
      see(payment.processor, observed => {
        observed.answered(1, sentAtMs, isAtWork(outcome), answeredAtMs)
      })
      switch (outcome.kind) {
        case 'booked':
          lane.booked.push(payment)
          break
        case 'not-booked':
          lane.refused.push(payment)
          break
        case 'rejected':
          lane.rejected.push({ payment, reason: outcome.reason })
          latch.open()
          return
        case 'already-booked':
        case 'unknown':
          resolve(payment)
          return
      }
      lane.observed.left(1)
      latch.open()
    })
  }

  const observeAgain = (processor: ProcessorName) => (outcome: SendOutcome) => {
    count(lanes[processor], outcome)
    note(processor, isAtWork(outcome) ? { kind: 'success' } : { kind: 'failure', count: 1, sentAtMs: NEVER_MS })
  }

  /** Sends what the other processor has refused for good. */
  const sendLast = (payment: TakenPayment) => {
    const { processor } = payment
    const lane = lanes[processor]
    held.set(payment.entryId, payment.record)
    lane.observed.adopted(1)
    void sendToLast(payment, clients[processor], observeAgain(processor), resolving.signal).then(outcome => {
      if (outcome?.kind === 'rejected') lane.rejected.push({ payment, reason: outcome.reason })
      else lane.observed.left(1)
      if (outcome?.kind === 'booked') lane.booked.push(outcome.payment)
      if (outcome?.kind === 'not-booked') lane.refused.push(payment)
      latch.open()
    })
  }

  /** Keeps its place among those in flight until the outcome is known. */
  const resolve = (payment: TakenPayment) => {
    const { processor } = payment
    const lane = lanes[processor]
    void resolveOutcome(payment, clients[processor], observeAgain(processor), resolving.signal).then(booked => {
      if (booked) lane.booked.push(booked)
      lane.observed.left(1)
      latch.open()
    })
  }

  // ---- one round trip to Redis ----------------------------------------------------------------

  const settle = async (processor: ProcessorName, batch: BookedPayment[]): Promise<void> => {
    try {
      const settledCount = await functions.settle(processor, batch)
      tally[processor].settled += settledCount
    } catch (error) {
      if (replyErrorCode(error) !== 'TOTALS') {
        lanes[processor].booked.unshift(...batch)
        throw error
      }
      if (batch.length > 1) {
        // Those whose totals are as they should be are counted all the same.
        const half = Math.ceil(batch.length / 2)
        await settle(processor, batch.slice(0, half)).finally(() => settle(processor, batch.slice(half)))
        return
      }
      lanes[processor].uncountable.push(...batch)
      redisTrouble.begin(error)
      return
    }
    for (const { entryId } of batch) held.delete(entryId)
  }

  /** A payment that we have taken again meanwhile, under another record, is not let go. */
  const letGo = (payments: readonly TakenPayment[]) => {
    for (const { entryId, record } of payments) {
      if (held.get(entryId) === record) held.delete(entryId)
    }
  }

  const release = async (lane: Lane, batch: TakenPayment[]) => {
    try {
      await functions.release(batch)
    } catch (error) {
      lane.refused.unshift(...batch)
      throw error
    }
    letGo(batch)
    mayHaveMore = true
  }

  /** To the other processor, if that was not asked yet, else to the dead letters. */
  const reject = async (lane: Lane, rejected: Rejected) => {
    const { payment, reason } = rejected
    try {
      if (isLast(payment)) {
        const isBuried = await functions.bury(
          payment,
          `${otherThan(payment.processor)} refused it for good, then ${payment.processor}: ${reason}`
        )
        if (isBuried) deadLetters.note(rejected)
      } else {
        const choice = { processor: otherThan(payment.processor), requestedAtMs: requestedAtMs() }
        const passed = await functions.passOn(payment, name, choice)
        if (passed) {
          passedOn.note(rejected)
          sendLast(passed)
        }
      }
    } catch (error) {
      lane.rejected.push(rejected)
      throw error
    }
    lane.observed.left(1)
    letGo([payment])
  }

  /** Those that can go on now: not to a processor that has all that it may have. */
  const nextRejected = (lane: Lane): Rejected[] => {
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
  }

  const take = async ({ processor, countMax, isProbe, only }: Take) => {
    const startedAtMs = nowMs()
    const choice = { processor, requestedAtMs: requestedAtMs() }
    const {
      payments,
      newestEntryId,
      waitingCount: left,
      malformed: found
    } = await functions.take(name, choice, countMax, only)
    waitingCount = left
    onMalformed(found)
    if (payments.length > 0) tookAtMs = startedAtMs
    if (isProbe && payments.length > 0) note(processor, { kind: 'probe-sent' })
    for (const payment of payments) send(payment)
    if (only !== undefined || payments.length > 0 || newestEntryId === undefined) return
    mayHaveMore = false
    watchArrivals(newestEntryId)
  }

  const watchArrivals = (entryId: string) => {
    if (isWaitingForArrival) return
    isWaitingForArrival = true
    const onArrival = () => {
      isWaitingForArrival = false
      mayHaveMore = true
      latch.open()
    }
    // When its connection is lost, the exchange of the next round finds out what there is.
    options.waitForArrival(entryId).then(onArrival, () => sleep(REDIS_RETRY_MS).then(onArrival))
  }

  const exchange = async (takes: readonly Take[]) => {
    const calls: Promise<void>[] = []
    for (const processor of PROCESSOR_NAMES) {
      const lane = lanes[processor]
      if (lane.booked.length > 0) calls.push(settle(processor, lane.booked.splice(0, SETTLE_MAX)))
      if (lane.refused.length > 0) calls.push(release(lane, lane.refused.splice(0, SETTLE_MAX)))
      if (isStopping) lane.refused.push(...takeBack(lane))
      for (const rejected of nextRejected(lane)) calls.push(reject(lane, rejected))
    }
    for (const each of takes) calls.push(take(each))
    for (const result of await Promise.allSettled(calls)) {
      if (result.status === 'rejected') throw result.reason
    }
  }

  /** A worker that stops gives what the other processor was not asked for to its successor, free for either. */
  const takeBack = (lane: Lane): TakenPayment[] => {
    const notAsked = lane.rejected.filter(({ payment }) => !isLast(payment)).map(({ payment }) => payment)
    lane.rejected = lane.rejected.filter(({ payment }) => isLast(payment))
    lane.observed.left(notAsked.length)
    return notAsked
  }

  const tryUncountable = (atMs: number) => {
    if (atMs - triedUncountableAtMs < UNCOUNTABLE_TICK_MS) return
    triedUncountableAtMs = atMs
    for (const processor of PROCESSOR_NAMES) lanes[processor].booked.push(...lanes[processor].uncountable.splice(0))
  }
  const uncountableCount = () => lanes.default.uncountable.length + lanes.fallback.uncountable.length

  const hasResults = () =>
    PROCESSOR_NAMES.some(processor => {
      const lane = lanes[processor]
      return lane.booked.length + lane.refused.length + lane.rejected.length > 0
    })

  // ---- the loop ---------------------------------------------------------------------------------

  const onExchangeError = async (error: unknown) => {
    const code = replyErrorCode(error)
    if (code === 'WRONGPROCESSOR' || code === 'REPEATED' || (error instanceof Error && error.name === 'AssertionError'))
      throw error
    redisTrouble.begin(error)
    await sleep(REDIS_RETRY_MS)
    if (code === 'NOGROUP') await functions.createGroup().catch(() => undefined)
  }

  const run = async () => {
    while (!isStopping || hasResults() || inFlightCount() > 0) {
      const startedAtMs = nowMs()
      tryUncountable(startedAtMs)
      // What can't be counted would only grow.
      const mayTake = mayHaveMore && !isStopping && uncountableCount() < SETTLE_MAX
      const takes = mayTake ? chooseTakes(facts(startedAtMs), routing) : []
      try {
        await exchange(takes)
        if (uncountableCount() === 0) redisTrouble.end()
      } catch (error) {
        await onExchangeError(error)
      }

      // Wait for something to happen, then for the rest of the interval, in which more of it gathers.
      const canTake =
        mayTake && mayHaveMore && chooseTakes(facts(nowMs()), routing).some(({ only }) => only === undefined)
      if (!canTake && !hasResults()) {
        await latch.wait(mayHaveMore ? TROUBLE_TICK_MS : QUIET_TICK_MS)
        if (nowMs() - startedAtMs >= QUIET_TICK_MS) mayHaveMore = true
      }
      const restMs = options.exchangeEveryMs - (nowMs() - startedAtMs)
      if (restMs > 0 && !isStopping) await sleep(restMs)
    }
  }

  const inFlightCount = () => lanes.default.observed.inFlightCount + lanes.fallback.observed.inFlightCount
  const facts = (atMs: number): RoutingFacts => {
    for (const processor of PROCESSOR_NAMES) lanes[processor].observed.tick(atMs)
    return {
      nowMs: atMs,
      tookAtMs,
      waitingCount,
      workerCount,
      default: lanes.default.observed.facts(),
      fallback: lanes.fallback.observed.facts()
    }
  }

  const running = run()

  return {
    onPublished(published) {
      log.info({ preferred: published }, 'preferred processor changed')
      if (published === null) return
      for (const [processor, event] of eventsOf(published)) note(processor, event)
      latch.open()
    },
    onWorkerCount(count) {
      workerCount = count
    },
    onMalformed,
    trouble: redisTrouble.current,
    holds: entryId => held.has(entryId),
    view: () => ({ default: lanes.default.observed, fallback: lanes.fallback.observed }),
    adopt(payments) {
      for (const payment of payments) {
        // What we work on already, a second time: a worker took it over and then lost it to us again.
        if (held.has(payment.entryId)) continue
        held.set(payment.entryId, payment.record)
        lanes[payment.processor].observed.adopted(1)
        resolve(payment)
      }
    },
    async drain() {
      isStopping = true
      // An open outcome may take as long as its processor does; the successor asks for it just as well.
      resolving.abort()
      latch.open()
      await running
      for (const burst of [deadLetters, passedOn, malformed]) burst.flush()
    },
    crashed: running.then(() => new Promise<never>(() => undefined))
  }
}
