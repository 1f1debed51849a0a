import { PROCESSOR_NAMES, type ProcessorName } from '../shared/payment.ts'
import { isProbeDue, type Breaker, type BreakerLimits } from './breaker.ts'

export type RoutingFacts = {
  nowMs: number
  breakers: Record<ProcessorName, Breaker>
  /** Payments that this worker has at each processor now, those with an unknown outcome included. */
  inFlightCounts: Record<ProcessorName, number>
}

export type RoutingLimits = {
  breaker: BreakerLimits
  inFlightMax: number
  /** Payments one call may take. */
  takeMax: number
  fallbackAfterMs: number
}

/** Payments to take from the queue, oldest first, and to send to one processor. */
export type Take = {
  processor: ProcessorName
  countMax: number
  /** Only payments accepted by then; missing: any. */
  acceptedUntilMs?: number
  isProbe: boolean
}

/**
 * Decides where payments go: default while it works and has room, fallback for those that have waited
 * longer than `fallbackAfterMs`, and nowhere otherwise: they wait in the queue.
 */
export function chooseTakes(facts: RoutingFacts, limits: RoutingLimits): Take[] {
  const takes: Take[] = []
  for (const processor of PROCESSOR_NAMES) {
    const breaker = facts.breakers[processor]
    const room = Math.min(limits.inFlightMax - facts.inFlightCounts[processor], limits.takeMax)
    const isProbe = isProbeDue(breaker, facts.nowMs, limits.breaker)
    const countMax = breaker.state === 'closed' ? room : isProbe ? Math.min(room, 1) : 0
    if (countMax <= 0) continue
    takes.push({ processor, countMax, isProbe, ...(processor === 'fallback' && { acceptedUntilMs: facts.nowMs - limits.fallbackAfterMs }) })
    // With room at default nothing has a reason to pay more.
    if (processor === 'default' && !isProbe) break
  }
  return takes
}
