import type { BreakerState } from '../shared/watching/report.ts'
import { NEVER_MS } from './time.ts'

/** A circuit breaker as a value. */
export type Breaker =
  | {
      state: 'closed'
      failureCount: number
      /** When it closed; NEVER_MS if it never was open. */
      sinceMs: number
      /** The last sign of life, which the published health has to outlive; NEVER_MS if there was none. */
      succeededAtMs: number
    }
  | {
      state: 'open'
      sinceMs: number
      /**
       * The next probe is due `openMs` after this: when the last one was sent, or when it opened. The published health
       * sets it back by `openMs` when it says that the processor works, which makes a probe due at once.
       */
      probedAtMs: number
      /** When the newest attempt that failed was sent; NEVER_MS if none is known. */
      failedSentAtMs: number
    }

export type BreakerEvent =
  | { kind: 'success' }
  /** `count` answers that came together, to what was sent then; NEVER_MS if that is not known. */
  | { kind: 'failure'; count: number; sentAtMs: number }
  | { kind: 'probe-sent' }
  /** The health monitor says so; what the worker sees itself counts more. */
  | { kind: 'published-failing' }
  | { kind: 'published-well' }

export type BreakerLimits = {
  /** Failures in a row that open it. */
  failuresMax: number
  /** From one probe to the next, whether or not the one before has been answered. */
  openMs: number
  /** For so long after a success the published health can't open it. */
  ownWordMs: number
}

export const CLOSED: Breaker = { state: 'closed', failureCount: 0, sinceMs: NEVER_MS, succeededAtMs: NEVER_MS }

/** The breaker after an event. */
export function step(breaker: Breaker, event: BreakerEvent, nowMs: number, limits: BreakerLimits): Breaker {
  switch (event.kind) {
    case 'success':
      // A processor reads its failure flag at the end of a request, so the answer to an old request is recent evidence.
      return {
        state: 'closed',
        failureCount: 0,
        sinceMs: breaker.state === 'closed' ? breaker.sinceMs : nowMs,
        succeededAtMs: nowMs
      }
    case 'failure': {
      if (breaker.state === 'open')
        return { ...breaker, failedSentAtMs: Math.max(breaker.failedSentAtMs, event.sentAtMs) }
      const failureCount = breaker.failureCount + event.count
      return failureCount < limits.failuresMax ? { ...breaker, failureCount } : open(nowMs, event.sentAtMs)
    }
    case 'probe-sent':
      return breaker.state === 'open' ? { ...breaker, probedAtMs: nowMs } : breaker
    case 'published-failing':
      return breaker.state === 'closed' && nowMs - breaker.succeededAtMs >= limits.ownWordMs
        ? open(nowMs, NEVER_MS)
        : breaker
    case 'published-well':
      return breaker.state === 'open' ? { ...breaker, probedAtMs: nowMs - limits.openMs } : breaker
  }
}

export function isProbeDue(breaker: Breaker, nowMs: number, limits: BreakerLimits): boolean {
  return breaker.state === 'open' && nowMs - breaker.probedAtMs >= limits.openMs
}

/** HALF_OPEN is an open breaker whose probe is under way, or that lets the next payment through as one. */
export function breakerState(breaker: Breaker, nowMs: number, limits: BreakerLimits): BreakerState {
  if (breaker.state === 'closed') return 'CLOSED'
  const isProbing = breaker.probedAtMs > Math.max(breaker.sinceMs, breaker.failedSentAtMs)
  return isProbing || isProbeDue(breaker, nowMs, limits) ? 'HALF_OPEN' : 'OPEN'
}

function open(nowMs: number, failedSentAtMs: number): Breaker {
  return { state: 'open', sinceMs: nowMs, probedAtMs: nowMs, failedSentAtMs }
}
