import type { ProcessorName } from '../shared/payment.ts'
import { createHistogram, type Histogram } from '../shared/watching/histogram.ts'
import type { Counts } from '../shared/watching/recent.ts'
import type { SendOutcomeKind } from '../shared/watching/report.ts'

/** What a worker counts for one processor: plain numbers that only grow, so that a payment costs two additions. */
export type LaneTally = {
  /** Answers to payments, those sent again to find out what became of one included. */
  answers: Counts<SendOutcomeKind>
  /** Of the answers to what was sent for the first time. */
  latency: Histogram
  settled: number
}

export type Tally = Record<ProcessorName, LaneTally>

export function createTally(): Tally {
  const lane = (): LaneTally => ({
    answers: { booked: 0, 'already-booked': 0, 'not-booked': 0, rejected: 0, unknown: 0 },
    latency: createHistogram(),
    settled: 0
  })
  return { default: lane(), fallback: lane() }
}
