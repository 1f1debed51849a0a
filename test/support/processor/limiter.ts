/**
 * The concurrency limiter in front of a processor's `POST /payments`: so many requests run, so many more wait in
 * order of arrival, and the next one is turned away. Pure: it calls what it is given and knows no time.
 */
export class Limiter {
  readonly #runningMax: number
  readonly #queuedMax: number
  readonly #waiting: (() => void)[] = []
  #running = 0
  #isAdmitting = false

  constructor(limits: { runningMax: number; queuedMax: number }) {
    this.#runningMax = limits.runningMax
    this.#queuedMax = limits.queuedMax
  }

  get running(): number {
    return this.#running
  }

  get queued(): number {
    return this.#waiting.length
  }

  /** Calls `run` now or later, to be followed by one `leave()`. False, and never calls it, when both are full. */
  enter(run: () => void): boolean {
    if (this.#running < this.#runningMax && this.#waiting.length === 0) {
      this.#running += 1
      run()
      return true
    }
    if (this.#waiting.length >= this.#queuedMax) return false
    this.#waiting.push(run)
    return true
  }

  /** Gives a place back; the longest waiting request takes it. */
  leave(): void {
    if (this.#running === 0) throw new Error('leave() without enter()')
    this.#running -= 1
    // Without a delay `run` leaves before it returns: this loop, not its recursion, empties the queue.
    if (this.#isAdmitting) return
    this.#isAdmitting = true
    try {
      while (this.#running < this.#runningMax) {
        const run = this.#waiting.shift()
        if (run === undefined) break
        this.#running += 1
        run()
      }
    } finally {
      this.#isAdmitting = false
    }
  }
}
