import { preferredOf } from '../../health-monitor/preference.ts'
import type { Health } from '../../shared/health.ts'
import { PROCESSOR_NAMES, type PreferredProcessor, type ProcessorName } from '../../shared/payment.ts'
import type { RoutingParameters } from '../../processor-worker/routing-parameters.ts'
import type { Schedule } from '../support/contest/schedule.ts'
import { arrivalTimes, endMsOf } from './arrivals.ts'
import { EventQueue } from './event-queue.ts'
import { idealOf, SHARE_LEFT } from './oracle.ts'
import { SimulatedProcessor, type Batch } from './processor.ts'
import { WaitingQueue, type Range } from './queue.ts'
import { SimulatedWorker, TROUBLE_TICK_MS, type Policy } from './worker.ts'

/** From a worker's decision until the processor has the payment, and the answer is back, without the delay. */
const NETWORK_MS = 2
const POLL_EVERY_MS = 5_100

export type SimulationOptions = {
  policy: Policy
  parameters: RoutingParameters
  workerCount?: number
  /** Health data of one poll; undefined: this poll finds out nothing. Default: the truth. */
  poll?: (truth: Health, processor: ProcessorName, nowMs: number) => Health | undefined
  /** Looks at the run at each multiple of `sampleEveryMs`. */
  sample?: (sample: Sample) => void
  sampleEveryMs?: number
}

/** A moment of a run. */
export type Sample = {
  atMs: number
  waitingCount: number
  inFlightCounts: Record<ProcessorName, number>
  bookedCounts: Record<ProcessorName, number>
}

/** Money in decimals, times in ms. */
export type RunResult = {
  profit: number
  /** What an oracle could have earned at most. */
  idealProfit: number
  asked: number
  bookedDefault: number
  bookedFallback: number
  /** Accepted and not booked at the end. */
  leftOver: number
  /** From acceptance until Redis has counted it. */
  settleMsP50: number
  settleMsP99: number
  /** The longest that a payment has waited in the queue while a processor that worked had nothing to do. */
  waitedBesideIdleMs: number
}

const tellTruth = (truth: Health) => truth

type Happening =
  | { kind: 'stage'; index: number }
  | { kind: 'poll'; processor: ProcessorName }
  | { kind: 'done'; processor: ProcessorName; batch: Batch }
  | { kind: 'wake'; worker: SimulatedWorker }
  | { kind: 'sample' }

/** Runs a schedule. The same arguments give the same result. */
export function simulate(schedule: Schedule, options: SimulationOptions): RunResult {
  const { policy, parameters, workerCount = 1, poll = tellTruth, sample, sampleEveryMs = 250 } = options
  const arrivals = arrivalTimes(schedule)
  const endMs = endMsOf(schedule)
  const events = new EventQueue<Happening>()
  const queue = new WaitingQueue(arrivals)
  const workers = Array.from(
    { length: workerCount },
    (_, index) => new SimulatedWorker(index, workerCount, policy, parameters)
  )
  const health: Record<ProcessorName, Health | undefined> = { default: undefined, fallback: undefined }
  const settleMs = new Histogram(endMs)
  const idleness = new Idleness(arrivals.length)
  let preferred: PreferredProcessor | undefined
  let nowMs = 0

  const wakeAt = (worker: SimulatedWorker, atMs: number) => {
    if (atMs >= worker.wakeAtMs || atMs > endMs) return
    worker.wakeAtMs = atMs
    events.add(atMs, { kind: 'wake', worker })
  }
  const createProcessor = (name: ProcessorName) =>
    new SimulatedProcessor(
      (batch, delayMs) => events.add(nowMs + NETWORK_MS + delayMs, { kind: 'done', processor: name, batch }),
      (batch, isBooked) => {
        if (!isBooked) idleness.refused(batch.ranges)
        const worker = workers[batch.workerIndex]
        if (worker) wakeAt(worker, worker.onAnswer({ processor: name, batch, isBooked }, nowMs))
      }
    )
  const processors = { default: createProcessor('default'), fallback: createProcessor('fallback') }

  const exchange = (worker: SimulatedWorker) => {
    worker.wakeAtMs = Infinity
    const send = (processor: ProcessorName, batch: Batch) => {
      idleness.taken(batch.ranges)
      processors[processor].receive(batch)
    }
    const nextMs = worker.exchange(queue, nowMs, send, ({ batch }) => {
      for (const { from, to } of batch.ranges) {
        for (let payment = from; payment < to; payment++) settleMs.add(nowMs - (arrivals[payment] ?? 0))
      }
    })
    wakeAt(worker, nextMs)
  }
  const publish = (name: ProcessorName) => {
    const { delayMs, failing } = processors[name].behaviour
    const known = poll({ failing, minResponseTimeMs: delayMs, checkedAtMs: nowMs }, name, nowMs)
    if (known === undefined) return
    health[name] = known
    const word = preferredOf(health)
    for (const worker of workers) worker.onPreferred(word === preferred ? undefined : word, health, nowMs)
    preferred = word
  }
  const look = () => {
    const inFlight = (name: ProcessorName) => workers.reduce((sum, { lanes }) => sum + lanes[name].inFlightCount, 0)
    sample?.({
      atMs: nowMs,
      waitingCount: queue.count,
      inFlightCounts: { default: inFlight('default'), fallback: inFlight('fallback') },
      bookedCounts: { default: processors.default.bookedCount, fallback: processors.fallback.bookedCount }
    })
    events.add(nowMs + sampleEveryMs, { kind: 'sample' })
  }

  schedule.stages.forEach((stage, index) => events.add(stage.atMs, { kind: 'stage', index }))
  for (const processor of PROCESSOR_NAMES) events.add(0, { kind: 'poll', processor })
  for (const worker of workers) wakeAt(worker, queue.nextArrivalMs)
  if (sample) events.add(0, { kind: 'sample' })

  for (let next = events.next(); next !== undefined && next.atMs <= endMs; next = events.next()) {
    idleness.pass(next.atMs - nowMs, processors)
    nowMs = next.atMs
    queue.advance(nowMs)
    idleness.arrived(queue.arrivedCount)
    const { event } = next
    if (event.kind === 'wake') {
      if (event.worker.wakeAtMs === nowMs) exchange(event.worker)
    } else if (event.kind === 'done') {
      processors[event.processor].finish(event.batch)
    } else if (event.kind === 'stage') {
      for (const name of PROCESSOR_NAMES)
        processors[name].behaviour = schedule.stages[event.index]?.[name] ?? processors[name].behaviour
    } else if (event.kind === 'poll') {
      publish(event.processor)
      events.add(nowMs + POLL_EVERY_MS, event)
    } else {
      look()
    }
  }

  idleness.taken(queue.take(Infinity))
  const [bookedDefault, bookedFallback] = [processors.default.bookedCount, processors.fallback.bookedCount]
  const amount = schedule.amountCents / 100
  return {
    profit: amount * (SHARE_LEFT.default * bookedDefault + SHARE_LEFT.fallback * bookedFallback),
    idealProfit: amount * idealOf(schedule, arrivals).profit,
    asked: arrivals.length,
    bookedDefault,
    bookedFallback,
    leftOver: arrivals.length - bookedDefault - bookedFallback,
    settleMsP50: settleMs.percentile(0.5),
    settleMsP99: settleMs.percentile(0.99),
    waitedBesideIdleMs: idleness.longestMs
  }
}

/** Counts whole ms. */
class Histogram {
  readonly #counts: Uint32Array
  #total = 0

  constructor(maxMs: number) {
    this.#counts = new Uint32Array(Math.ceil(maxMs) + 1)
  }

  add(ms: number): void {
    const place = Math.round(ms)
    this.#counts[place] = (this.#counts[place] ?? 0) + 1
    this.#total += 1
  }

  percentile(share: number): number {
    let left = Math.ceil(share * this.#total)
    return Math.max(
      0,
      this.#counts.findIndex(count => (left -= count) <= 0)
    )
  }
}

/**
 * A worker looks at what waits every so often; a processor that is quick has nothing to do in between, also while a
 * backlog drains.
 */
const IDLE_AFTER_MS = TROUBLE_TICK_MS

/** Measures for how long payments have waited in the queue beside a processor that worked and had nothing to do. */
class Idleness {
  longestMs = 0
  /** For how long each processor has worked and had nothing to do. */
  readonly #restingMs: Record<ProcessorName, number> = { default: 0, fallback: 0 }
  /** For how long some such processor was there since the start. */
  #idleMs = 0
  /** What of that a payment in the queue has not waited beside; while it is in flight, what it had waited beside. */
  readonly #sinceMs: Float64Array
  #arrivedCount = 0

  constructor(payments: number) {
    this.#sinceMs = new Float64Array(payments)
  }

  /** To be called before anything happens at the end of these `ms`. */
  pass(ms: number, processors: Record<ProcessorName, SimulatedProcessor>): void {
    let idleMs = 0
    for (const name of PROCESSOR_NAMES) {
      const { runningCount, behaviour } = processors[name]
      this.#restingMs[name] = runningCount === 0 && !behaviour.failing ? this.#restingMs[name] + ms : 0
      idleMs = Math.max(idleMs, Math.min(ms, this.#restingMs[name] - IDLE_AFTER_MS))
    }
    this.#idleMs += idleMs
  }

  arrived(count: number): void {
    this.#sinceMs.fill(this.#idleMs, this.#arrivedCount, count)
    this.#arrivedCount = count
  }

  taken(payments: readonly Range[]): void {
    this.#turn(payments)
    for (const { from, to } of payments) {
      for (let payment = from; payment < to; payment++)
        this.longestMs = Math.max(this.longestMs, this.#sinceMs[payment] ?? 0)
    }
  }

  refused(payments: readonly Range[]): void {
    this.#turn(payments)
  }

  #turn(payments: readonly Range[]): void {
    for (const { from, to } of payments) {
      for (let payment = from; payment < to; payment++)
        this.#sinceMs[payment] = this.#idleMs - (this.#sinceMs[payment] ?? 0)
    }
  }
}
