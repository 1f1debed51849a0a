import { setTimeout as sleep } from 'node:timers/promises'
import { NEVER_MS } from './time.ts'

const ARRIVAL_RETRY_MS = 100

/** The queue as this worker knows it without asking. */
export class Backlog {
  /** False from when nothing was left to take until something arrives, is released, or time is up. */
  mayHaveMore = true
  /** Payments that were free for either processor, by the last call that took some. */
  waitingCount = 0
  /** When this worker took payments last. */
  tookAtMs = NEVER_MS
  /** Workers that live and take from it, this one included. */
  workerCount = 1
  readonly #waitForArrival: (entryId: string) => Promise<void>
  readonly #onArrival: () => void
  #isWaitingForArrival = false

  /**
   * @param waitForArrival resolves when there may be payments newer than an entry id
   * @param onArrival called when there may be more after it had run out
   */
  constructor(waitForArrival: (entryId: string) => Promise<void>, onArrival: () => void) {
    this.#waitForArrival = waitForArrival
    this.#onArrival = onArrival
  }

  /** Nothing is left to take, up to this entry. */
  ranOut(newestEntryId: string): void {
    this.mayHaveMore = false
    if (this.#isWaitingForArrival) return
    this.#isWaitingForArrival = true
    const onArrival = () => {
      this.#isWaitingForArrival = false
      this.mayHaveMore = true
      this.#onArrival()
    }
    // When its connection is lost, the exchange of the next round finds out what there is.
    this.#waitForArrival(newestEntryId).then(onArrival, () => sleep(ARRIVAL_RETRY_MS).then(onArrival))
  }
}
