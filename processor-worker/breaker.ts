/** A circuit breaker as a value. Only `open` knows since when. */
export type Breaker =
  | { state: 'closed'; failureCount: number }
  | { state: 'open'; openedAtMs: number }
  /** Exactly one probe is in flight. */
  | { state: 'half-open' }

export type BreakerEvent =
  | 'success'
  | 'failure'
  | 'probe-sent'
  /** The health monitor says so; what the worker sees itself afterwards counts more. */
  | 'published-failing'
  | 'published-well'

export type BreakerLimits = {
  /** Failures in a row that open it. */
  failuresMax: number
  /** How long it stays open before a probe. */
  openMs: number
}

export const CLOSED: Breaker = { state: 'closed', failureCount: 0 }

/** The breaker after an event. */
export function step(breaker: Breaker, event: BreakerEvent, nowMs: number, limits: BreakerLimits): Breaker {
  switch (event) {
    case 'success':
      return CLOSED
    case 'failure':
      // Answers to what was sent before it opened must not keep it open for longer.
      if (breaker.state === 'open') return breaker
      return breaker.state === 'closed' && breaker.failureCount + 1 < limits.failuresMax
        ? { state: 'closed', failureCount: breaker.failureCount + 1 }
        : { state: 'open', openedAtMs: nowMs }
    case 'probe-sent':
      return { state: 'half-open' }
    case 'published-failing':
      return breaker.state === 'closed' ? { state: 'open', openedAtMs: nowMs } : breaker
    case 'published-well':
      return breaker.state === 'open' ? { state: 'open', openedAtMs: nowMs - limits.openMs } : breaker
  }
}

export function isProbeDue(breaker: Breaker, nowMs: number, limits: BreakerLimits): boolean {
  return breaker.state === 'open' && nowMs - breaker.openedAtMs >= limits.openMs
}
