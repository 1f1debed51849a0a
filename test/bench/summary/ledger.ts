// The payments that the benchmark puts into Redis, all known by their number, and their exact sums, kept apart from the
// pipeline. Pure.
import type { ProcessorName } from '../../../shared/payment.ts'
import type { Totals } from '../../support/books.ts'

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
  sum: (fromMs: number, toMs: number) => Record<ProcessorName, Totals>
}

/** Payments spread evenly over the 30 days before `endMs`, with amounts from 0.01 to 999.99. */
export function createLedger(count: number, endMs: number): Ledger {
  const startMs = endMs - SPAN_MS
  const timeMsOf = (index: number) => startMs + Math.floor((index / count) * SPAN_MS)
  const centsOf = (index: number) => 1 + ((index * 7_919) % 99_999)
  const processorOf = (index: number): ProcessorName =>
    Math.floor(index / RUN_LENGTH) % ROWS_TO_FALLBACK === 0 ? 'fallback' : 'default'

  const rowCount = Math.ceil(count / RUN_LENGTH)
  /** Of each processor: the cents of all rows before one. */
  const before = { default: new Float64Array(rowCount + 1), fallback: new Float64Array(rowCount + 1) }
  const requestsBefore = { default: new Float64Array(rowCount + 1), fallback: new Float64Array(rowCount + 1) }
  const add = (totals: Record<ProcessorName, Totals>, first: number, end: number) => {
    for (let index = first; index < end; index++) {
      const { [processorOf(index)]: own } = totals
      own.requests += 1
      own.cents += centsOf(index)
    }
  }
  const running = nothing()
  for (let row = 0; row < rowCount; row++) {
    add(running, row * RUN_LENGTH, Math.min(count, (row + 1) * RUN_LENGTH))
    for (const name of ['default', 'fallback'] as const) {
      before[name][row + 1] = running[name].cents
      requestsBefore[name][row + 1] = running[name].requests
    }
  }

  /** Of all payments before a number. */
  const sumBefore = (end: number) => {
    const row = Math.floor(end / RUN_LENGTH)
    const upTo = (name: ProcessorName): Totals => ({
      requests: requestsBefore[name][row] ?? NaN,
      cents: before[name][row] ?? NaN
    })
    const totals = { default: upTo('default'), fallback: upTo('fallback') }
    add(totals, row * RUN_LENGTH, end)
    return totals
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
    sum(fromMs, toMs) {
      const [until, from] = [sumBefore(firstFrom(toMs + 1)), sumBefore(firstFrom(fromMs))]
      const between = (name: ProcessorName): Totals => ({
        requests: until[name].requests - from[name].requests,
        cents: until[name].cents - from[name].cents
      })
      return { default: between('default'), fallback: between('fallback') }
    }
  }
}

function nothing(): Record<ProcessorName, Totals> {
  return { default: { requests: 0, cents: 0 }, fallback: { requests: 0, cents: 0 } }
}
