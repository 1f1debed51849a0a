import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../shared/log.ts'
import { PROCESSOR_NAMES, type ProcessorName } from '../shared/payment.ts'
import { replyErrorCode, type BookedPayment, type Functions, type TakenPayment } from '../shared/redis/functions.ts'
import { CLOSED, step, type Breaker, type BreakerEvent } from './breaker.ts'
import type { ProcessorClient } from './client.ts'
import { createLatch } from './latch.ts'
import type { SendOutcome } from './outcome.ts'
import type { Published } from './preferred.ts'
import { resolveOutcome } from './resolver.ts'
import { chooseTakes, type RoutingLimits, type Take } from './routing.ts'

export type WorkerLoop = {
  /** The health monitor's word, as it changes. */
  onPublished: (published: Published) => void
  /** Whether this worker knows of the payment: it is being sent, asked for, or about to be settled. */
  holds: (entryId: string) => boolean
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
  limits: RoutingLimits
  exchangeEveryMs: number
  nowMs: () => number
  log: Log
}

/** What one processor has in hand. */
type Lane = {
  breaker: Breaker
  inFlightCount: number
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
  const { name, functions, clients, limits, nowMs, log } = options
  const newLane = (): Lane => ({ breaker: CLOSED, inFlightCount: 0, booked: [], refused: [], rejected: [] })
  const lanes: Record<ProcessorName, Lane> = { default: newLane(), fallback: newLane() }
  /** Entry id → the record it was handed to us under, from then until nobody here works on it any more. */
  const held = new Map<string, string>()
  const latch = createLatch()
  const resolving = new AbortController()
  let isStopping = false
  let mayHaveMore = true
  let isWaitingForArrival = false
  let isRedisLost = false

  // ---- what happens to a payment ------------------------------------------------------------

  const note = (processor: ProcessorName, event: BreakerEvent) => {
    const lane = lanes[processor]
    const before = lane.breaker.state
    lane.breaker = step(lane.breaker, event, nowMs(), limits.breaker)
    const after = lane.breaker.state
    if (before === after) return
    // Half-open only lasts until its probe returns: the way from open to open again is no news.
    if (after === 'closed') log.info({ processor }, 'breaker closed')
    if (after === 'open' && before === 'closed') log.warn({ processor, event, inFlight: lane.inFlightCount }, 'breaker opened')
  }

  const observe = (processor: ProcessorName, outcome: SendOutcome) => {
    // A processor that rejects a payment for good is at work, and a probe must end in any case.
    const isAtWork = outcome.kind === 'booked' || outcome.kind === 'already-booked' || outcome.kind === 'rejected'
    note(processor, isAtWork ? 'success' : 'failure')
  }

  const send = (payment: TakenPayment) => {
    const lane = lanes[payment.processor]
    held.set(payment.entryId, payment.record)
    lane.inFlightCount += 1
    clients[payment.processor].send(payment, payment.requestedAtMs, outcome => {
      observe(payment.processor, outcome)
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
      lane.inFlightCount -= 1
      latch.open()
    })
  }

  /** Keeps its place among those in flight until the outcome is known. */
  const resolve = (payment: TakenPayment) => {
    const lane = lanes[payment.processor]
    const client = clients[payment.processor]
    void resolveOutcome(payment, client, outcome => { observe(payment.processor, outcome) }, resolving.signal).then(booked => {
      if (booked) lane.booked.push(booked)
      lane.inFlightCount -= 1
      latch.open()
    })
  }

  // ---- one round trip to Redis ----------------------------------------------------------------

  const settle = async (processor: ProcessorName, batch: BookedPayment[]) => {
    try {
      await functions.settle(processor, batch)
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

  const take = async ({ processor, countMax, acceptedUntilMs, isProbe }: Take) => {
    const choice = { processor, requestedAtMs: nowMs() }
    const { payments, newestEntryId } = await functions.take(name, choice, countMax, acceptedUntilMs)
    if (isProbe && payments.length > 0) note(processor, 'probe-sent')
    for (const payment of payments) send(payment)
    if (acceptedUntilMs !== undefined || payments.length > 0) return
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
    if (!isRedisLost) log.error({ err: error }, 'Redis does not do its part')
    isRedisLost = true
    await sleep(REDIS_RETRY_MS)
    if (code === 'NOGROUP') await functions.createGroup().catch(() => undefined)
  }

  const run = async () => {
    while (!isStopping || hasResults() || inFlightCount() > 0) {
      const startedAtMs = nowMs()
      const takes = mayHaveMore && !isStopping ? chooseTakes(facts(startedAtMs), limits) : []
      try {
        await exchange(takes)
        if (isRedisLost) log.warn('Redis does its part again')
        isRedisLost = false
      } catch (error) {
        await onExchangeError(error)
      }

      // Wait for something to happen, then for the rest of the interval, in which more of it gathers.
      const canTake = mayHaveMore && !isStopping && chooseTakes(facts(nowMs()), limits).some(each => each.acceptedUntilMs === undefined)
      if (!canTake && !hasResults()) {
        await latch.wait(mayHaveMore ? TROUBLE_TICK_MS : QUIET_TICK_MS)
        if (nowMs() - startedAtMs >= QUIET_TICK_MS) mayHaveMore = true
      }
      const restMs = options.exchangeEveryMs - (nowMs() - startedAtMs)
      if (restMs > 0 && !isStopping) await sleep(restMs)
    }
  }

  const inFlightCount = () => lanes.default.inFlightCount + lanes.fallback.inFlightCount
  const facts = (atMs: number) => ({
    nowMs: atMs,
    breakers: { default: lanes.default.breaker, fallback: lanes.fallback.breaker },
    inFlightCounts: { default: lanes.default.inFlightCount, fallback: lanes.fallback.inFlightCount }
  })

  const running = run()

  return {
    onPublished(published) {
      log.info({ preferred: published }, 'preferred processor changed')
      if (published === null) return
      note('default', published === 'default' ? 'published-well' : 'published-failing')
      if (published !== 'default') note('fallback', published === 'fallback' ? 'published-well' : 'published-failing')
      latch.open()
    },
    holds: entryId => held.has(entryId),
    adopt(payments) {
      for (const payment of payments) {
        // What we work on already, a second time: a worker took it over and then lost it to us again.
        if (held.has(payment.entryId)) continue
        held.set(payment.entryId, payment.record)
        lanes[payment.processor].inFlightCount += 1
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
