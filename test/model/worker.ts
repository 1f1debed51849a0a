// A worker, step by step: what exchange.ts, sending.ts and resolver.ts of processor-worker/ do with payments, with
// every wait in the hands of the test.
// What is pure there, and all that speaks to Redis, is the real code.
import { isLast, type Choice } from '../../shared/redis/attempt-record.ts'
import type { BookedPayment, TakenPayment } from '../../shared/redis/queued-payment.ts'
import type { Functions } from '../../shared/redis/functions.ts'
import { centsFromDecimal } from '../../shared/money.ts'
import { otherThan, PROCESSOR_NAMES, type ProcessorName } from '../../shared/payment.ts'
import { EntriesInHand } from '../../processor-worker/in-hand.ts'
import type { SendOutcome } from '../../processor-worker/outcome.ts'
import { beatAndTakeOver } from '../../processor-worker/takeover.ts'
import type { TotalsRetention } from '../../processor-worker/totals-retention.ts'
import { createLog } from '../../shared/log.ts'
import type { Connection } from './connection.ts'
import type { ModelProcessor } from './processor.ts'

export type WorkerOptions = {
  name: string
  connection: Connection
  functions: Functions
  retention: TotalsRetention
  processors: Record<ProcessorName, ModelProcessor>
  nowMs: () => number
  deadAfterMs: number
  /** Hears every error: what a real worker would end with, and lost commands. */
  onBroken: (error: unknown) => void
}

export type ModelTake = {
  processor: ProcessorName
  countMax: number
  only: { minAgeMs?: number; leaveCount?: number }
}

type Rejected = { payment: TakenPayment; reason: string }
type Lane = { booked: BookedPayment[]; refused: TakenPayment[]; rejected: Rejected[] }

const log = createLog('model', 'silent')

export class ModelWorker {
  readonly name: string
  readonly connection: Connection
  /** One exchange at a time, and beside it one heartbeat. */
  isExchanging = false
  isBeating = false
  isStopping = false
  hasLeft = false
  readonly #options: WorkerOptions
  readonly #lanes: Record<ProcessorName, Lane> = { default: newLane(), fallback: newLane() }
  readonly #inHand = new EntriesInHand()
  #openCount = 0

  constructor(options: WorkerOptions) {
    this.name = options.name
    this.connection = options.connection
    this.#options = options
  }

  get isIdle(): boolean {
    return (
      this.#openCount === 0 &&
      PROCESSOR_NAMES.every(name => {
        const { booked, refused, rejected } = this.#lanes[name]
        return booked.length + refused.length + rejected.length === 0
      })
    )
  }

  /**
   * One round trip, as the loop makes it. Returns whether there is anything to tell Redis.
   *
   * @param maySendOn the other processor has room for what this one refused for good
   */
  exchange(takes: readonly ModelTake[], maySendOn: boolean): boolean {
    if (this.isExchanging) return false
    const calls: Promise<void>[] = []
    for (const processor of PROCESSOR_NAMES) {
      const lane = this.#lanes[processor]
      if (lane.booked.length > 0) calls.push(this.#settle(processor, lane.booked.splice(0)))
      if (lane.refused.length > 0) calls.push(this.#release(lane, lane.refused.splice(0)))
      if (this.isStopping) lane.refused.push(...freeRejected(lane))
      const next = lane.rejected.filter(({ payment }) => maySendOn || isLast(payment))
      lane.rejected = lane.rejected.filter(rejected => !next.includes(rejected))
      for (const rejected of next) calls.push(this.#reject(lane, rejected))
    }
    if (!this.isStopping) for (const take of takes) calls.push(this.#take(take))
    if (calls.length === 0) return false
    this.isExchanging = true
    void Promise.allSettled(calls).then(results => {
      this.isExchanging = false
      for (const result of results) if (result.status === 'rejected') this.#options.onBroken(result.reason)
    })
    return true
  }

  /**
   * @param sweeps whether the totals forget something afterwards; a real worker always looks, which here would be most
   *   of what happens
   */
  beat(sweeps: boolean): void {
    if (this.isBeating) return
    this.isBeating = true
    const { functions, retention, deadAfterMs } = this.#options
    const loop = {
      hasInHand: (entryId: string) => this.#inHand.has(entryId),
      adopt: this.#adopt,
      onWorkerCount: () => undefined,
      onMalformed: () => undefined
    }
    const beat = async () => {
      const nowMs = await beatAndTakeOver({ name: this.name, functions, loop, deadAfterMs, log })
      if (sweeps) await retention.sweep(nowMs)
    }
    void beat()
      .catch(this.#options.onBroken)
      .finally(() => {
        this.isBeating = false
      })
  }

  /** Leaves once nothing is open, as at SIGTERM. */
  leave(): void {
    if (!this.isStopping || this.isExchanging || this.isBeating || !this.isIdle || this.hasLeft) return
    this.hasLeft = true
    void this.#options.functions.retire(this.name).catch(this.#options.onBroken)
  }

  readonly #adopt = (payments: readonly TakenPayment[]) => {
    for (const payment of payments) {
      if (this.#inHand.has(payment.entryId)) continue
      this.#inHand.add(payment)
      void this.#resolve(payment)
    }
  }

  async #take({ processor, countMax, only }: ModelTake): Promise<void> {
    const choice: Choice = { processor, requestedAtMs: this.#options.nowMs() }
    const { payments } = await this.#options.functions.take(this.name, choice, countMax, only)
    for (const payment of payments) void this.#send(payment)
  }

  async #send(payment: TakenPayment): Promise<void> {
    const lane = this.#lanes[payment.processor]
    this.#inHand.add(payment)
    this.#openCount += 1
    let outcome = await this.#attempt(payment)
    // What the other processor has refused for good is sent here until it gets an answer.
    while (isLast(payment) && outcome.kind === 'not-booked' && !this.isStopping) outcome = await this.#attempt(payment)
    this.#openCount -= 1
    switch (outcome.kind) {
      case 'booked':
        lane.booked.push(payment)
        break
      case 'not-booked':
        lane.refused.push(payment)
        break
      case 'rejected':
        lane.rejected.push({ payment, reason: outcome.reason })
        break
      case 'already-booked':
      case 'unknown':
        await this.#resolve(payment)
    }
  }

  async #resolve(payment: TakenPayment): Promise<void> {
    this.#openCount += 1
    const booked = await this.#outcomeOf(payment)
    if (booked) this.#lanes[payment.processor].booked.push(booked)
    this.#openCount -= 1
  }

  async #outcomeOf(payment: TakenPayment): Promise<BookedPayment | undefined> {
    while (!this.isStopping) {
      const stored = await this.#options.processors[payment.processor].lookup(payment.correlationId)
      if (stored.kind === 'stored') {
        const cents = centsFromDecimal(stored.amount) ?? payment.cents
        return { ...payment, cents, requestedAtMs: stored.requestedAtMs }
      }
      if (stored.kind === 'absent' && (await this.#attempt(payment)).kind === 'booked') return payment
    }
    return undefined
  }

  #attempt(payment: TakenPayment): Promise<SendOutcome> {
    return this.#options.processors[payment.processor].send(payment, payment.requestedAtMs)
  }

  async #settle(processor: ProcessorName, batch: BookedPayment[]): Promise<void> {
    try {
      await this.#options.functions.settle(processor, batch)
    } catch (error) {
      this.#lanes[processor].booked.unshift(...batch)
      throw error
    }
    for (const { entryId } of batch) this.#inHand.settled(entryId)
  }

  async #release(lane: Lane, batch: TakenPayment[]): Promise<void> {
    try {
      await this.#options.functions.release(batch)
    } catch (error) {
      lane.refused.unshift(...batch)
      throw error
    }
    for (const payment of batch) this.#inHand.letGo(payment)
  }

  async #reject(lane: Lane, rejected: Rejected): Promise<void> {
    const { payment, reason } = rejected
    const { functions, nowMs } = this.#options
    try {
      if (isLast(payment)) await functions.bury(payment, reason)
      else {
        const choice = { processor: otherThan(payment.processor), requestedAtMs: nowMs() }
        const passed = await functions.passOn(payment, this.name, choice)
        if (passed) void this.#send(passed)
      }
    } catch (error) {
      lane.rejected.push(rejected)
      throw error
    }
    this.#inHand.letGo(payment)
  }
}

function newLane(): Lane {
  return { booked: [], refused: [], rejected: [] }
}

/** What the other processor was not asked for. */
function freeRejected(lane: Lane): TakenPayment[] {
  const notAsked = lane.rejected.filter(({ payment }) => !isLast(payment)).map(({ payment }) => payment)
  lane.rejected = lane.rejected.filter(({ payment }) => isLast(payment))
  return notAsked
}
