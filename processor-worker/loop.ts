import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../shared/log.ts'
import { PROCESSOR_NAMES, type ProcessorName } from '../shared/payment.ts'
import { replyErrorCode, type BookedPayment, type Functions, type TakenPayment } from '../shared/redis/functions.ts'
import { record } from '../shared/report/histogram.ts'
import type { BreakerEvent } from './breaker.ts'
import type { ProcessorClient } from './client.ts'
import { createLatch } from './latch.ts'
import { eventsOf, Observed } from './observed.ts'
import type { SendOutcome } from './outcome.ts'
import type { Published } from './preferred.ts'
import { resolveOutcome } from './resolver.ts'
import { breakerLimitsOf, chooseTakes, type RoutingFacts, type Take } from './routing.ts'
import type { LaneView } from './report.ts'
import type { RoutingParameters } from './routing-parameters.ts'
import type { LaneTally, Tally } from './tally.ts'

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
  /** Stops taking, waits for the answers under way and settles them. What is still open then stays on record for a successor. */
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
  nowMs: () => number
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
  rejected: { payment: TakenPayment; reason: string }[]
}

/** One settle call holds this many at most, so that it never keeps Redis busy for more than about a millisecond. */
const SETTLE_MAX = 256
/** How often waiting payments are looked at while some processor is not usable. */
const TROUBLE_TICK_MS = 20
/** How often a quiet worker looks at what other workers may have freed. */
const QUIET_TICK_MS = 1_000
const REDIS_RETRY_MS = 100

/**
 * The worker's one loop. Each round is one exchange with Redis: settle what was booked, free what was
 * refused, take what there is room for. Answers that come in meanwhile wait for the next round, so
 * that the batches grow with the load by themselves.
 */
export function createWorkerLoop(options: WorkerLoopOptions): WorkerLoop {
  const { name, functions, clients, routing, nowMs, tally, log } = options
  const newLane = (processor: ProcessorName): Lane => ({
    observed: new Observed(breakerLimitsOf(routing)), tally: tally[processor], lastTrouble: undefined, booked: [], refused: [], rejected: []
  })
  const lanes: Record<ProcessorName, Lane> = { default: newLane('default'), fallback: newLane('fallback') }
  /** Entry id → the record it was handed to us under, from then until nobody here works on it any more. */
  const held = new Map<string, string>()
  const latch = createLatch()
  const resolving = new AbortController()
  let isStopping = false
  let mayHaveMore = true
  let isWaitingForArrival = false
  let redisLostAtMs: number | undefined
  let tookAtMs = 0
  let waitingCount = 0
  let workerCount = 1

  // ---- what happens to a payment ------------------------------------------------------------

  /** Lets a processor's lane see something, and says when that opens or closes its breaker. */
  const see = (processor: ProcessorName, what: (observed: Observed) => void) => {
    const { observed, lastTrouble } = lanes[processor]
    const before = observed.breaker
    what(observed)
    if (before.state === observed.breaker.state) return
    const figures = { processor, inFlight: observed.inFlightCount, waiting: waitingCount }
    if (observed.breaker.state === 'closed') log.info({ ...figures, afterMs: nowMs() - before.sinceMs }, 'breaker closed')
    else log.warn({ ...figures, lastTrouble }, 'breaker opened')
  }
  const count = (lane: Lane, outcome: SendOutcome) => {
    lane.tally.answers[outcome.kind] += 1
    if ('reason' in outcome) lane.lastTrouble = outcome.reason
  }
  const note = (processor: ProcessorName, event: BreakerEvent) => {
    see(processor, observed => { observed.note(event, nowMs()) })
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
      see(payment.processor, observed => { observed.answered(1, sentAtMs, isAtWork(outcome), answeredAtMs) })
      switch (outcome.kind) {
        case 'booked':
          lane.booked.push(payment)
          break
        case 'not-booked':
          lane.refused.push(payment)
          break
        case 'rejected':
          lane.rejected.push({ payment, reason: outcome.reason })
          break
        case 'already-booked':
        case 'unknown':
          resolve(payment)
          return
      }
      lane.observed.left(1)
      latch.open()
    })
  }

  /** Keeps its place among those in flight until the outcome is known. */
  const resolve = (payment: TakenPayment) => {
    const { processor } = payment
    const lane = lanes[processor]
    const observe = (outcome: SendOutcome) => {
      count(lane, outcome)
      note(processor, isAtWork(outcome) ? { kind: 'success' } : { kind: 'failure', count: 1, sentAtMs: 0 })
    }
    void resolveOutcome(payment, clients[processor], observe, resolving.signal).then(booked => {
      if (booked) lane.booked.push(booked)
      lane.observed.left(1)
      latch.open()
    })
  }

  // ---- one round trip to Redis ----------------------------------------------------------------

  const settle = async (processor: ProcessorName, batch: BookedPayment[]) => {
    try {
      const settledCount = await functions.settle(processor, batch)
      tally[processor].settled += settledCount
    } catch (error) {
      lanes[processor].booked.unshift(...batch)
      throw error
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

  const bury = async (lane: Lane, { payment, reason }: Lane['rejected'][number]) => {
    try {
      const isBuried = await functions.bury(payment, `${payment.processor} answered ${reason}`)
      if (isBuried) log.error({ entryId: payment.entryId, processor: payment.processor, reason }, 'dead letter')
    } catch (error) {
      lane.rejected.push({ payment, reason })
      throw error
    }
    letGo([payment])
  }

  const take = async ({ processor, countMax, isProbe, only }: Take) => {
    const choice = { processor, requestedAtMs: nowMs() }
    const { payments, newestEntryId, waitingCount: left } = await functions.take(name, choice, countMax, only)
    waitingCount = left
    if (payments.length > 0) tookAtMs = choice.requestedAtMs
    if (isProbe && payments.length > 0) note(processor, { kind: 'probe-sent' })
    for (const payment of payments) send(payment)
    if (only !== undefined || payments.length > 0) return
    mayHaveMore = false
    if (newestEntryId !== undefined) watchArrivals(newestEntryId)
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
      for (const rejected of lane.rejected.splice(0)) calls.push(bury(lane, rejected))
    }
    for (const each of takes) calls.push(take(each))
    for (const result of await Promise.allSettled(calls)) {
      if (result.status === 'rejected') throw result.reason
    }
  }

  const hasResults = () => PROCESSOR_NAMES.some(processor => {
    const lane = lanes[processor]
    return lane.booked.length + lane.refused.length + lane.rejected.length > 0
  })

  // ---- the loop ---------------------------------------------------------------------------------

  const onExchangeError = async (error: unknown) => {
    const code = replyErrorCode(error)
    if (code === 'WRONGPROCESSOR' || code === 'REPEATED' || (error instanceof Error && error.name === 'AssertionError')) throw error
    if (redisLostAtMs === undefined) log.error({ err: error }, 'Redis does not do its part')
    redisLostAtMs ??= nowMs()
    await sleep(REDIS_RETRY_MS)
    if (code === 'NOGROUP') await functions.createGroup().catch(() => undefined)
  }

  const run = async () => {
    while (!isStopping || hasResults() || inFlightCount() > 0) {
      const startedAtMs = nowMs()
      const takes = mayHaveMore && !isStopping ? chooseTakes(facts(startedAtMs), routing) : []
      try {
        await exchange(takes)
        if (redisLostAtMs !== undefined) log.warn({ afterMs: nowMs() - redisLostAtMs }, 'Redis does its part again')
        redisLostAtMs = undefined
      } catch (error) {
        await onExchangeError(error)
      }

      // Wait for something to happen, then for the rest of the interval, in which more of it gathers.
      const canTake = mayHaveMore && !isStopping && chooseTakes(facts(nowMs()), routing).some(({ only }) => only === undefined)
      if (!canTake && !hasResults()) {
        await latch.wait(mayHaveMore ? TROUBLE_TICK_MS : QUIET_TICK_MS)
        if (nowMs() - startedAtMs >= QUIET_TICK_MS) mayHaveMore = true
      }
      const restMs = options.exchangeEveryMs - (nowMs() - startedAtMs)
      if (restMs > 0 && !isStopping) await sleep(restMs)
    }
  }

  const inFlightCount = () => lanes.default.observed.inFlightCount + lanes.fallback.observed.inFlightCount
  const facts = (atMs: number): RoutingFacts => ({
    nowMs: atMs, tookAtMs, waitingCount, workerCount,
    default: lanes.default.observed.facts(atMs), fallback: lanes.fallback.observed.facts(atMs)
  })

  const running = run()

  return {
    onPublished(published) {
      log.info({ preferred: published }, 'preferred processor changed')
      if (published === null) return
      for (const [processor, event] of eventsOf(published)) note(processor, event)
      latch.open()
    },
    onWorkerCount(count) { workerCount = count },
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
    },
    crashed: running.then(() => new Promise<never>(() => undefined))
  }
}
