import type { ProcessorName } from '../shared/payment.ts'
import { isProbeDue, type Breaker } from './breaker.ts'
import { breakerLimitsOf, type RoutingParameters } from './routing-parameters.ts'

export type ProcessorFacts = {
  breaker: Breaker
  /** Payments that this worker has there now, those with an unknown outcome included. */
  inFlightCount: number
  /**
   * How long its recent answers took, or how long the oldest open request has waited, whichever is more. Since it came
   * back, if it had failed; 0 when nothing is known.
   */
  latencyMs: number
}

export type RoutingFacts = {
  nowMs: number
  /** When this worker took payments last; NEVER_MS before the first. */
  tookAtMs: number
  /** Payments that were free for either processor, by the last call that took some. */
  waitingCount: number
  /** Workers that live, this one included. */
  workerCount: number
} & Record<ProcessorName, ProcessorFacts>

/** Payments to take from the queue, oldest first, and to send to one processor. */
export type Take = {
  processor: ProcessorName
  countMax: number
  isProbe: boolean
  /** Missing: any payments. */
  only?: Restriction
}

export type Restriction =
  /** Only payments that were accepted at least `minAgeMs` ago. */
  | { minAgeMs: number }
  /** Only while more than `leaveCount` payments wait. */
  | { leaveCount: number }

/** Payments that one call may take: Redis does nothing else meanwhile, for 2 ms or so. */
const TAKE_MAX = 256

/**
 * Decides where payments go: to default while it works and has room. To fallback only what default's failure has kept
 * waiting for long enough, or what would wait for too long because more comes than default can take. Nowhere otherwise:
 * they wait in the queue.
 */
export function chooseTakes(facts: RoutingFacts, parameters: RoutingParameters): Take[] {
  const takes: Take[] = []
  const toDefault = permitOf('default', facts, parameters)
  const toFallback = permitOf('fallback', facts, parameters)
  if (toDefault) takes.push(toDefault)
  if (toFallback?.isProbe && facts.default.breaker.state === 'open') {
    // Whether fallback works has to be known before payments have waited for long enough.
    takes.push(toFallback)
  } else if (toFallback) {
    const only = restrictionOf(facts, parameters)
    if (only) takes.push({ ...toFallback, only })
  }
  // Fallback first while default is probed: a probe takes the payment that has waited longest, which would otherwise be
  // probed with again and again and never get to fallback. If payments do not wait for default at all, the probe goes
  // first: fallback would leave nothing to probe with.
  return toDefault?.isProbe && parameters.fallbackAfterMs > 0 ? takes.reverse() : takes
}

/** What a processor may get now, whatever waits. */
function permitOf(processor: ProcessorName, facts: RoutingFacts, parameters: RoutingParameters): Take | undefined {
  const { breaker, inFlightCount } = facts[processor]
  const isProbe = breaker.state === 'open'
  if (isProbe && !isProbeDue(breaker, facts.nowMs, breakerLimitsOf(parameters))) return undefined
  const paced = Math.round((parameters.takePerSecondMax * (facts.nowMs - facts.tookAtMs)) / 1_000)
  const countMax = Math.min(parameters.inFlightMax - inFlightCount, isProbe ? 1 : TAKE_MAX, Math.max(1, paced))
  return countMax > 0 ? { processor, countMax, isProbe } : undefined
}

/** Which payments fallback may get; undefined: none. */
function restrictionOf(facts: RoutingFacts, parameters: RoutingParameters): Restriction | undefined {
  const leaveCount = capacityWithin(parameters.surplusWaitMs, facts, parameters)
  if (facts.default.breaker.state === 'closed') {
    const isFull = facts.default.inFlightCount >= parameters.inFlightMax
    return isFull || facts.waitingCount > leaveCount ? { leaveCount } : undefined
  }
  if (mayBothBeBack(facts, parameters)) return undefined
  // Even if default came back now, it could not take more than so many in time.
  return facts.waitingCount > leaveCount ? { leaveCount } : { minAgeMs: waitBeforeFallbackMs(facts, parameters) }
}

/** How long payments wait for a default that fails: what has failed for long will hardly be back at once. */
function waitBeforeFallbackMs(
  { nowMs, default: { breaker } }: RoutingFacts,
  { fallbackAfterMs, fallbackWaitMs }: RoutingParameters
): number {
  const failingMs = breaker.state === 'open' ? nowMs - breaker.sinceMs : 0
  return failingMs < fallbackAfterMs ? fallbackAfterMs : Math.min(fallbackAfterMs, fallbackWaitMs)
}

/** True while no probe has shown what became of default since fallback came back: they may have come back together. */
function mayBothBeBack(facts: RoutingFacts, { bothBackWaitMs }: RoutingParameters): boolean {
  const [byDefault, byFallback] = [facts.default.breaker, facts.fallback.breaker]
  return (
    byDefault.state === 'open' &&
    byFallback.state === 'closed' &&
    byFallback.sinceMs > byDefault.failedSentAtMs &&
    facts.nowMs - byFallback.sinceMs < bothBackWaitMs
  )
}

/** How many payments default takes from all workers within some time, as slow as it is now. */
function capacityWithin(ms: number, facts: RoutingFacts, { inFlightMax }: RoutingParameters): number {
  return Math.floor((facts.workerCount * inFlightMax * ms) / Math.max(1, facts.default.latencyMs))
}
