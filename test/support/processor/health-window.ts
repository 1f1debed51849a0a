/** What the health limiter says to one call: answer it after `waitMs` (0 is now), or refuse it with 429. */
export type HealthTurn = { kind: 'granted'; waitMs: number } | { kind: 'refused' }

/**
 * The limiter of `GET /payments/service-health`: time is cut into fixed windows, counted from the start of the
 * process, each window grants one call, and two more calls can wait for the windows that follow. Pure: given now.
 *
 * Because nothing leaves the queue but by its turn (a client that gives up cancels nothing), a call's window is
 * known when it arrives, and the queue needs to be nothing more than the number of the last window given away.
 */
export class HealthWindow {
  static readonly queuedMax = 2
  readonly #windowMs: number
  readonly #startMs: number
  #lastGranted = -1

  constructor(windowMs: number, startMs: number) {
    this.#windowMs = windowMs
    this.#startMs = startMs
  }

  ask(nowMs: number): HealthTurn {
    const current = Math.floor((nowMs - this.#startMs) / this.#windowMs)
    const turn = Math.max(current, this.#lastGranted + 1)
    if (turn - current > HealthWindow.queuedMax) return { kind: 'refused' }
    this.#lastGranted = turn
    return { kind: 'granted', waitMs: Math.max(0, this.#startMs + turn * this.#windowMs - nowMs) }
  }
}
