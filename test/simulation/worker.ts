import type { Health } from '../../shared/health.ts'
import { PROCESSOR_NAMES, type PreferredProcessor, type ProcessorName } from '../../shared/payment.ts'
import { WORKER_VARIABLES } from '../../processor-worker/variables.ts'
import { Observed } from '../../processor-worker/observed.ts'
import { eventsOf } from '../../processor-worker/preferred.ts'
import type { RoutingFacts, Take } from '../../processor-worker/routing.ts'
import { breakerLimitsOf } from '../../processor-worker/routing-parameters.ts'
import type { RoutingParameters } from '../../processor-worker/routing-parameters.ts'
import type { Batch } from './processor.ts'
import { countOf, type WaitingQueue } from './queue.ts'

/** Our policy knows nothing of `published`; simple ones go by it. */
export type SimulatedFacts = RoutingFacts & { published: Record<ProcessorName, Health | undefined> }
export type Policy = (facts: SimulatedFacts, parameters: RoutingParameters) => Take[]

/**
 * From one exchange with Redis to the next, when there is something to do: the rest between them and the round trip.
 */
const EXCHANGE_MS = Number(WORKER_VARIABLES.exchangeEveryMs.default)
/** As in rounds.ts. */
export const TROUBLE_TICK_MS = 20

type Answered = { processor: ProcessorName; batch: Batch; isBooked: boolean }

/** The worker's loop without Redis and without a network: the real policy, and the real eyes. */
export class SimulatedWorker {
  /** When it means to exchange next; an older appointment doesn't count any more. */
  wakeAtMs = Infinity
  readonly index: number
  readonly lanes: Record<ProcessorName, Observed>
  readonly #policy: Policy
  readonly #parameters: RoutingParameters
  readonly #facts: SimulatedFacts
  #answered: Answered[] = []
  #exchangedAtMs = 0

  constructor(index: number, workerCount: number, policy: Policy, parameters: RoutingParameters) {
    this.index = index
    this.#policy = policy
    this.#parameters = parameters
    const lane = () => new Observed(breakerLimitsOf(parameters))
    this.lanes = { default: lane(), fallback: lane() }
    this.#facts = {
      nowMs: 0,
      tookAtMs: 0,
      waitingCount: 0,
      workerCount,
      default: this.lanes.default.facts(),
      fallback: this.lanes.fallback.facts(),
      published: { default: undefined, fallback: undefined }
    }
  }

  /** The health monitor's word; undefined when it is the same as before. */
  onPreferred(
    preferred: PreferredProcessor | undefined,
    health: Record<ProcessorName, Health | undefined>,
    nowMs: number
  ): void {
    for (const [processor, event] of preferred ? eventsOf(preferred) : []) this.lanes[processor].note(event, nowMs)
    this.#facts.published = { ...health }
  }

  /** Returns when it wants to exchange. */
  onAnswer(answered: Answered, nowMs: number): number {
    const { processor, batch, isBooked } = answered
    const count = countOf(batch.ranges)
    this.lanes[processor].answered(count, batch.sentAtMs, isBooked, nowMs)
    this.lanes[processor].finished(count)
    this.#answered.push(answered)
    return Math.max(nowMs, this.#exchangedAtMs + EXCHANGE_MS)
  }

  /** One exchange with Redis. Returns when it wants to exchange again if nothing else happens. */
  exchange(
    queue: WaitingQueue,
    nowMs: number,
    send: (processor: ProcessorName, batch: Batch) => void,
    settle: (answered: Answered) => void
  ): number {
    this.#exchangedAtMs = nowMs
    for (const answered of this.#answered) {
      if (answered.isBooked) settle(answered)
      else queue.release(answered.batch.ranges)
    }
    this.#answered = []
    const takes = queue.count > 0 ? this.#choose(nowMs) : []
    for (const { processor, countMax, isProbe, only } of takes) {
      const ranges = queue.take(countMax, only)
      this.#facts.waitingCount = queue.count
      const count = countOf(ranges)
      if (count === 0) continue
      const lane = this.lanes[processor]
      if (isProbe) lane.note({ kind: 'probe-sent' }, nowMs)
      lane.sent(count, nowMs)
      this.#facts.tookAtMs = nowMs
      send(processor, { workerIndex: this.index, sentAtMs: nowMs, ranges })
    }
    if (queue.count === 0) return Math.max(nowMs + EXCHANGE_MS, queue.nextArrivalMs)
    const canGoOn = this.#choose(nowMs).some(({ only }) => only === undefined)
    return nowMs + (canGoOn ? EXCHANGE_MS : TROUBLE_TICK_MS)
  }

  #choose(nowMs: number): Take[] {
    const facts = this.#facts
    facts.nowMs = nowMs
    for (const processor of PROCESSOR_NAMES) {
      this.lanes[processor].tick(nowMs)
      facts[processor] = this.lanes[processor].facts()
    }
    return this.#policy(facts, this.#parameters)
  }
}
