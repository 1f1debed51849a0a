import type { StoredPayment } from './payment.ts'

export type Totals = { requests: number; cents: number }

/** Everything whose `requestedAt` lies in the same second. */
type Second = Totals & { timesMs: number[]; entryCents: number[] }

/**
 * What a processor has stored: payments by id, and sums over their `requestedAt`. Pure, all money in whole cents.
 *
 * Payments are grouped by second, each with its totals, so that a summary adds up one number a second and looks at
 * single payments only in the two seconds that its range cuts: microseconds, however many payments there are.
 */
export class Books {
  readonly #payments = new Map<string, StoredPayment>()
  readonly #seconds = new Map<number, Second>()

  get size(): number {
    return this.#payments.size
  }

  /** False, and changes nothing, when the id is stored already. */
  insert(payment: StoredPayment): boolean {
    if (this.#payments.has(payment.id)) return false
    this.#payments.set(payment.id, payment)
    const second = this.#second(Math.floor(payment.requestedAtMs / 1000))
    second.requests += 1
    second.cents += payment.cents
    second.timesMs.push(payment.requestedAtMs)
    second.entryCents.push(payment.cents)
    return true
  }

  find(id: string): StoredPayment | undefined {
    return this.#payments.get(id.toLowerCase())
  }

  /** Over `requestedAt` in [fromMs, toMs], both included. */
  totals(fromMs = -Infinity, toMs = Infinity): Totals {
    const totals = { requests: 0, cents: 0 }
    for (const [number, second] of this.#seconds) {
      const startMs = number * 1000
      if (startMs > toMs || startMs + 999 < fromMs) continue
      if (fromMs <= startMs && startMs + 999 <= toMs) {
        totals.requests += second.requests
        totals.cents += second.cents
      } else {
        addCut(totals, second, fromMs, toMs)
      }
    }
    return totals
  }

  clear(): void {
    this.#payments.clear()
    this.#seconds.clear()
  }

  #second(number: number): Second {
    const known = this.#seconds.get(number)
    if (known !== undefined) return known
    const second = { requests: 0, cents: 0, timesMs: [], entryCents: [] }
    this.#seconds.set(number, second)
    return second
  }
}

function addCut(totals: Totals, second: Second, fromMs: number, toMs: number): void {
  second.timesMs.forEach((timeMs, index) => {
    if (timeMs < fromMs || timeMs > toMs) return
    totals.requests += 1
    totals.cents += second.entryCents[index] ?? 0
  })
}
