import { CLOSED, step, type Breaker, type BreakerEvent, type BreakerLimits } from './breaker.ts'
import { NEVER_MS } from './time.ts'
import type { ProcessorFacts } from './routing.ts'

/**
 * How much one of many answers moves the mean. A full processor gives 160 a second or more, so that it follows within a
 * second.
 */
const MEAN_SHARE_MIN = 0.02

/**
 * A processor counts as slow only when it has been slow for this long. Shorter stalls may be our own (a burst of new
 * connections, a CPU limit, a garbage collection) and would send hundreds of payments to fallback.
 */
const EVIDENCE_MS = 1_000

/** What a worker sees of one processor. No I/O, no clock of its own; the simulation sees through the same eyes. */
export class Observed {
  breaker: Breaker = CLOSED
  /** Payments that this worker has there now, those with an unknown outcome included. */
  inFlightCount = 0
  readonly #limits: BreakerLimits
  /** When what awaits its first answer was sent → how many of it, in order of time. */
  readonly #awaited = new Map<number, number>()
  #meanMs = 0
  #answerCount = 0
  /** The lowest latency since `#windowAtMs`, and in the window before. */
  #lowestMs = 0
  #lowestBeforeMs = 0
  #windowAtMs = NEVER_MS

  constructor(limits: BreakerLimits) {
    this.#limits = limits
  }

  sent(count: number, nowMs: number): void {
    this.inFlightCount += count
    this.#awaited.set(nowMs, (this.#awaited.get(nowMs) ?? 0) + count)
  }

  /** The first answers to payments that were sent together; they stay in flight until `finished`. */
  answered(count: number, sentAtMs: number, isAtWork: boolean, nowMs: number): void {
    const awaitedCount = this.#awaited.get(sentAtMs)
    if (awaitedCount !== undefined) {
      if (awaitedCount > count) this.#awaited.set(sentAtMs, awaitedCount - count)
      else this.#awaited.delete(sentAtMs)
      this.#answerCount += count
      const share = Math.max(count / this.#answerCount, 1 - (1 - MEAN_SHARE_MIN) ** count)
      this.#meanMs += (nowMs - sentAtMs - this.#meanMs) * share
    }
    this.note(isAtWork ? { kind: 'success' } : { kind: 'failure', count, sentAtMs }, nowMs)
  }

  /** In flight from now on without an answer that is awaited here: taken over, or passed on by the other processor. */
  adopted(count: number): void {
    this.inFlightCount += count
  }

  finished(count: number): void {
    this.inFlightCount -= count
  }

  note(event: BreakerEvent, nowMs: number): void {
    const after = step(this.breaker, event, nowMs, this.#limits)
    const isBack = this.breaker.state === 'open' && after.state === 'closed'
    this.breaker = after
    if (!isBack) return
    // It may be quicker than before: what was sent before says nothing about that.
    this.#awaited.clear()
    this.#meanMs = 0
    this.#answerCount = 0
    this.#lowestMs = 0
  }

  /** Looks at how slow it is now. To be called before each decision: what is not looked at is no evidence. */
  tick(nowMs: number): void {
    const { done, value: oldestSentAtMs } = this.#awaited.keys().next()
    const waitedMs = done === true ? 0 : nowMs - oldestSentAtMs
    const latencyMs = Math.max(this.#meanMs, waitedMs)
    if (nowMs - this.#windowAtMs >= EVIDENCE_MS) {
      this.#lowestBeforeMs = nowMs - this.#windowAtMs < 2 * EVIDENCE_MS ? this.#lowestMs : 0
      this.#lowestMs = latencyMs
      this.#windowAtMs = nowMs
    }
    this.#lowestMs = Math.min(this.#lowestMs, latencyMs)
  }

  /** As of the last tick. */
  facts(): ProcessorFacts {
    return {
      breaker: this.breaker,
      inFlightCount: this.inFlightCount,
      // The lowest of the last one to two times EVIDENCE_MS.
      latencyMs: Math.min(this.#lowestMs, this.#lowestBeforeMs)
    }
  }
}
