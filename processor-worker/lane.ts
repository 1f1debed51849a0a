import type { ProcessorName } from '../shared/payment.ts'
import { isLast } from '../shared/redis/attempt-record.ts'
import type { BookedPayment, TakenPayment } from '../shared/redis/queued-payment.ts'
import { addSample } from '../shared/watching/histogram.ts'
import type { Breaker, BreakerEvent, BreakerLimits } from './breaker.ts'
import type { ProcessorClient } from './processor-client.ts'
import { Observed } from './observed.ts'
import { NEVER_MS } from './time.ts'
import { isAtWork, type SendOutcome } from './outcome.ts'
import type { LaneTally } from './tally.ts'

/** A payment that its processor refused for good, and why. */
export type Rejected = { payment: TakenPayment; reason: string }

export type Lanes = Record<ProcessorName, Lane>

export type LaneOptions = {
  processor: ProcessorName
  client: ProcessorClient
  limits: BreakerLimits
  tally: LaneTally
  /** Called after its breaker has opened or closed, with what it was before. */
  onBreakerTurned: (lane: Lane, before: Breaker, nowMs: number) => void
}

/** One processor's part of this worker: what is seen of it, and the results that Redis does not have yet. */
export class Lane {
  readonly processor: ProcessorName
  readonly client: ProcessorClient
  readonly observed: Observed
  readonly tally: LaneTally
  /** Why its last refusal or missing answer came about. */
  lastTrouble: string | undefined
  booked: BookedPayment[] = []
  notBooked: TakenPayment[] = []
  /** Refused for good here; still in flight, until the other processor or the dead letters have it. */
  rejected: Rejected[] = []
  /** Booked, but Redis cannot count it: what stands in the totals is no number. */
  uncountable: BookedPayment[] = []
  readonly #onBreakerTurned: LaneOptions['onBreakerTurned']

  constructor({ processor, client, limits, tally, onBreakerTurned }: LaneOptions) {
    this.processor = processor
    this.client = client
    this.observed = new Observed(limits)
    this.tally = tally
    this.#onBreakerTurned = onBreakerTurned
  }

  /** Whether there is anything to tell Redis. */
  get hasResults(): boolean {
    return this.booked.length + this.notBooked.length + this.rejected.length > 0
  }

  /** The answer to a payment that was sent for the first time. */
  answered(outcome: SendOutcome, sentAtMs: number, nowMs: number): void {
    this.#count(outcome)
    addSample(this.tally.latency, nowMs - sentAtMs)
    const before = this.observed.breaker
    this.observed.answered(1, sentAtMs, isAtWork(outcome), nowMs)
    this.#tellTurn(before, nowMs)
  }

  /** The answer to an attempt that followed an open outcome, or the other processor's refusal. */
  answeredAgain(outcome: SendOutcome, nowMs: number): void {
    this.#count(outcome)
    this.note(isAtWork(outcome) ? { kind: 'success' } : { kind: 'failure', count: 1, sentAtMs: NEVER_MS }, nowMs)
  }

  note(event: BreakerEvent, nowMs: number): void {
    const before = this.observed.breaker
    this.observed.note(event, nowMs)
    this.#tellTurn(before, nowMs)
  }

  /** For a worker that stops: payments that only this processor has rejected become free, for its successor to send. */
  freeRejected(): void {
    const forEither = this.rejected.filter(({ payment }) => !isLast(payment)).map(({ payment }) => payment)
    this.rejected = this.rejected.filter(({ payment }) => isLast(payment))
    this.observed.finished(forEither.length)
    this.notBooked.push(...forEither)
  }

  #count(outcome: SendOutcome): void {
    this.tally.answers[outcome.kind] += 1
    if ('reason' in outcome) this.lastTrouble = outcome.reason
  }

  #tellTurn(before: Breaker, nowMs: number): void {
    if (before.state !== this.observed.breaker.state) this.#onBreakerTurned(this, before, nowMs)
  }
}
