import { setTimeout as sleep } from 'node:timers/promises'
import { PROCESSOR_NAMES } from '../shared/payment.ts'
import { replyErrorCode } from '../shared/redis/errors.ts'
import type { Functions } from '../shared/redis/functions.ts'
import type { Backlog } from './backlog.ts'
import type { Lanes } from './lane.ts'
import type { Latch } from './latch.ts'
import { chooseTakes, type RoutingFacts, type Take } from './routing.ts'
import type { RoutingParameters } from './routing-parameters.ts'
import { SETTLE_MAX, type Settling } from './settling.ts'
import type { LoopLog } from './watching/loop-log.ts'

export type RoundsOptions = {
  functions: Functions
  lanes: Lanes
  backlog: Backlog
  exchange: (takes: readonly Take[]) => Promise<void>
  settling: Settling
  routing: RoutingParameters
  exchangeEveryMs: number
  /** Opened when there is something for the next round. */
  latch: Latch
  stopping: AbortSignal
  nowMs: () => number
  loopLog: LoopLog
}

/** How often waiting payments are looked at while no more can be taken: a processor fails, or has all it may have. */
const TROUBLE_TICK_MS = 20
/** How often a quiet worker looks at what other workers may have freed. */
const QUIET_TICK_MS = 1_000
const REDIS_RETRY_MS = 100

/**
 * The worker's one loop. Each round is one exchange with Redis: settle what was booked, free what was refused, take
 * what there is room for. Answers that come in meanwhile wait for the next round, so that the batches grow with the
 * load by themselves. Once it stops, resolves when no answer is awaited and Redis has all results; rejects when an
 * invariant is broken.
 */
export async function runRounds(options: RoundsOptions): Promise<void> {
  const { lanes, backlog, exchange, settling, routing, exchangeEveryMs, latch, stopping, nowMs, loopLog } = options
  const choose = (atMs: number) => chooseTakes(factsAt(atMs, lanes, backlog), routing)
  const hasResults = () => lanes.default.hasResults || lanes.fallback.hasResults
  const inFlightCount = () => lanes.default.observed.inFlightCount + lanes.fallback.observed.inFlightCount

  while (!stopping.aborted || hasResults() || inFlightCount() > 0) {
    const startedAtMs = nowMs()
    settling.retryUncountable(startedAtMs)
    // Taking more would only add to the payments that Redis cannot count.
    const mayTake = backlog.mayHaveMore && !stopping.aborted && settling.uncountableCount() < SETTLE_MAX
    const takes = mayTake ? choose(startedAtMs) : []
    try {
      await exchange(takes)
      if (settling.uncountableCount() === 0) loopLog.redisTrouble.end()
    } catch (error) {
      await onExchangeError(error, options)
    }

    // Wait for something to happen, then for the rest of the interval, in which more of it gathers.
    const canTake = mayTake && backlog.mayHaveMore && choose(nowMs()).some(({ only }) => only === undefined)
    if (!canTake && !hasResults()) {
      await latch.wait(backlog.mayHaveMore ? TROUBLE_TICK_MS : QUIET_TICK_MS)
      if (nowMs() - startedAtMs >= QUIET_TICK_MS) backlog.mayHaveMore = true
    }
    const restMs = exchangeEveryMs - (nowMs() - startedAtMs)
    if (restMs > 0 && !stopping.aborted) await sleep(restMs)
  }
}

/** What routing decides by. */
function factsAt(nowMs: number, lanes: Lanes, { tookAtMs, waitingCount, workerCount }: Backlog): RoutingFacts {
  for (const processor of PROCESSOR_NAMES) lanes[processor].observed.tick(nowMs)
  return {
    nowMs,
    tookAtMs,
    waitingCount,
    workerCount,
    default: lanes.default.observed.facts(),
    fallback: lanes.fallback.observed.facts()
  }
}

/** Waits before the next try; rethrows errors that another try cannot mend. */
async function onExchangeError(error: unknown, { functions, loopLog }: RoundsOptions): Promise<void> {
  const code = replyErrorCode(error)
  if (code === 'WRONGPROCESSOR' || code === 'REPEATED' || (error instanceof Error && error.name === 'AssertionError'))
    throw error
  loopLog.redisTrouble.begin(error)
  await sleep(REDIS_RETRY_MS)
  if (code === 'NOGROUP') await functions.createGroup().catch(() => undefined)
}
