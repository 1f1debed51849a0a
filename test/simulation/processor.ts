import type { Behaviour } from '../support/contest/schedule.ts'
import { countOf, removeFirst, type Range } from './queue.ts'

/** Payments that one worker sent to one processor in one go, as far as they are still together. */
export type Batch = { workerIndex: number; sentAtMs: number; ranges: Range[] }

const RUNNING_MAX = 800
const QUEUED_MAX = 500

/**
 * A processor as the contract has it: so many payments run, so many queue, the rest is turned away; each takes the
 * delay that is set when it begins, and fails if the flag is set when it ends.
 */
export class SimulatedProcessor {
  behaviour: Behaviour = { delayMs: 0, failing: false }
  bookedCount = 0
  runningCount = 0
  readonly #queued: Batch[] = []
  readonly #start: (batch: Batch, delayMs: number) => void
  readonly #answer: (batch: Batch, isBooked: boolean) => void

  /**
   * @param start has `finish` called after the delay
   * @param answer tells the worker
   */
  constructor(start: (batch: Batch, delayMs: number) => void, answer: (batch: Batch, isBooked: boolean) => void) {
    this.#start = start
    this.#answer = answer
  }

  receive(batch: Batch): void {
    this.#run(batch)
    const left = countOf(batch.ranges)
    if (left === 0) return
    const queuedCount = this.#queued.reduce((sum, { ranges }) => sum + countOf(ranges), 0)
    const queued = removeFirst(batch.ranges, QUEUED_MAX - queuedCount)
    if (queued.length > 0) this.#queued.push({ ...batch, ranges: queued })
    if (batch.ranges.length > 0) this.#answer(batch, false)
  }

  finish(batch: Batch): void {
    const isBooked = !this.behaviour.failing
    const count = countOf(batch.ranges)
    this.runningCount -= count
    if (isBooked) this.bookedCount += count
    this.#answer(batch, isBooked)
    while (this.#queued[0] !== undefined && this.runningCount < RUNNING_MAX) {
      this.#run(this.#queued[0])
      if (this.#queued[0].ranges.length === 0) this.#queued.shift()
    }
  }

  /** Starts as many as there are places; the others stay in the batch. */
  #run(batch: Batch): void {
    const running = removeFirst(batch.ranges, RUNNING_MAX - this.runningCount)
    if (running.length === 0) return
    this.runningCount += countOf(running)
    this.#start({ ...batch, ranges: running }, this.behaviour.delayMs)
  }
}
