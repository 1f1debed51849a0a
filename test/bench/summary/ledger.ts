// The payments that the benchmark puts into Redis, all known by their number, and their exact sums, kept apart from the
// pipeline. Pure.
import type { ProcessorName } from '../../../shared/payment.ts'
import { added, NOTHING, type Books } from '../../support/books.ts'

export const DAYS = 30
const SPAN_MS = DAYS * 86_400_000

/** Payments of one processor in a row: what one call settles. */
export const RUN_LENGTH = 250
/** Every fifth row goes to the fallback. */
const ROWS_TO_FALLBACK = 5

export type Ledger = {
  count: number
  startMs: number
  /** All payments are before it. */
  endMs: number
  /** requestedAt of a payment; they are in this order. */
  timeMsOf: (index: number) => number
  centsOf: (index: number) => number
  processorOf: (index: number) => ProcessorName
  /** Over requestedAt in [fromMs, toMs], both included. */
  sum: (fromMs: number, toMs: number) => Books
}

/** Payments spread evenly over the 30 days before `endMs`, with amounts from 0.01 to 999.99. */
export function createLedger(count: number, endMs: number): Ledger {
  const startMs = endMs - SPAN_MS
  const timeMsOf = (index: number) => startMs + Math.floor((index / count) * SPAN_MS)
  const centsOf = (index: number) => 1 + ((index * 7_919) % 99_999)
  const processorOf = (index: number): ProcessorName =>
    Math.floor(index / RUN_LENGTH) % ROWS_TO_FALLBACK === 0 ? 'fallback' : 'default'

  const withPayments = ({ default: byDefault, fallback }: Books, first: number, end: number): Books => {
    const sums = { default: { ...byDefault }, fallback: { ...fallback } }
    for (let index = first; index < end; index++) {
      const { [processorOf(index)]: own } = sums
      own.requests += 1
      own.cents += centsOf(index)
    }
    return sums
  }
  /** Of all rows before one. */
  const beforeRow: Books[] = [NOTHING]
  for (let first = 0; first < count; first += RUN_LENGTH)
    beforeRow.push(withPayments(beforeRow.at(-1) ?? NOTHING, first, Math.min(count, first + RUN_LENGTH)))
  /** Of all payments before a number. */
  const sumBefore = (end: number) => {
    const row = Math.floor(end / RUN_LENGTH)
    return withPayments(beforeRow[row] ?? NOTHING, row * RUN_LENGTH, end)
  }
  /** The first payment that is not before a time, by halving. */
  const firstFrom = (timeMs: number) => {
    let [low, high] = [0, count]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (timeMsOf(middle) < timeMs) low = middle + 1
      else high = middle
    }
    return low
  }
  return {
    count,
    startMs,
    endMs,
    timeMsOf,
    centsOf,
    processorOf,
    sum: (fromMs, toMs) => added(sumBefore(firstFrom(toMs + 1)), sumBefore(firstFrom(fromMs)))
  }
}
