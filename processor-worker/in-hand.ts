import type { TakenPayment } from '../shared/redis/queued-payment.ts'

/**
 * The entries of the queue that this worker works on, each from when it was handed to us until nobody here works on it
 * any more: sent, asked for, or about to be settled, released or passed on.
 */
export class EntriesInHand {
  /** Entry id → the record it was handed to us under. */
  readonly #records = new Map<string, string>()

  has(entryId: string): boolean {
    return this.#records.has(entryId)
  }

  add({ entryId, record }: TakenPayment): void {
    this.#records.set(entryId, record)
  }

  /** It is settled, under whatever record. */
  settled(entryId: string): void {
    this.#records.delete(entryId)
  }

  /** A payment that we have taken again meanwhile, under another record, is not let go. */
  letGo({ entryId, record }: TakenPayment): void {
    if (this.#records.get(entryId) === record) this.#records.delete(entryId)
  }
}
