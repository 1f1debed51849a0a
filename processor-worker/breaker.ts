/** A circuit breaker as a value. */
export type Breaker =
  | {
      state: 'closed'
      failureCount: number
      /** When it closed; 0 if it never was open. */
      sinceMs: number
      /** The last sign of life, which the published health has to outlive; 0 if there was none. */
      succeededAtMs: number
    }
  | {
      state: 'open'
      sinceMs: number
      /** When the last probe was sent; at first, when it opened. */
      probedAtMs: number
      /** When the newest attempt that failed was sent. */
      refusedSentAtMs: number
    }

export type BreakerEvent =
  /** `count` answers that came together. */
  | { kind: 'success' }
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

export const CLOSED: Breaker = { state: 'closed', failureCount: 0, sinceMs: 0, succeededAtMs: 0 }

/** The breaker after an event. */
export function step(breaker: Breaker, event: BreakerEvent, nowMs: number, limits: BreakerLimits): Breaker {
  switch (event.kind) {
    case 'success':
      // A processor reads its failure flag at the end of a request, so the answer to an old one is news as well.
      return {
        state: 'closed',
        failureCount: 0,
        sinceMs: breaker.state === 'closed' ? breaker.sinceMs : nowMs,
        succeededAtMs: nowMs
      }
    case 'failure': {
      if (breaker.state === 'open')
        return { ...breaker, refusedSentAtMs: Math.max(breaker.refusedSentAtMs, event.sentAtMs) }
      const failureCount = breaker.failureCount + event.count
      return failureCount < limits.failuresMax ? { ...breaker, failureCount } : open(nowMs, event.sentAtMs)
    }
    case 'probe-sent':
      return breaker.state === 'open' ? { ...breaker, probedAtMs: nowMs } : breaker
    case 'published-failing':
      return breaker.state === 'closed' && nowMs - breaker.succeededAtMs >= limits.ownWordMs ? open(nowMs, 0) : breaker
    case 'published-well':
      return breaker.state === 'open' ? { ...breaker, probedAtMs: nowMs - limits.openMs } : breaker
  }
}

export function isProbeDue(breaker: Breaker, nowMs: number, limits: BreakerLimits): boolean {
  return breaker.state === 'open' && nowMs - breaker.probedAtMs >= limits.openMs
}

function open(nowMs: number, refusedSentAtMs: number): Breaker {
  return { state: 'open', sinceMs: nowMs, probedAtMs: nowMs, refusedSentAtMs }
}
