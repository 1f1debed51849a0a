import { createHistogram, type Histogram } from '../shared/watching/histogram.ts'
import type { Counts } from '../shared/watching/recent.ts'
import type { AcceptOutcome } from '../shared/watching/report.ts'

/** What a gateway counts while it works: plain numbers that only grow, so that a payment costs an addition. */
export type Tally = {
  answers: Counts<AcceptOutcome>
  /** From the first payment of a batch to Redis's answer, for each payment that went to Redis. */
  latency: Histogram
  /** Open HTTP connections. */
  connections: number
  /** Why Redis could not take the last batch; null when it took it. */
  refusing: { reason: string; sinceMs: number } | null
}

export function createTally(): Tally {
  const answers = { accepted: 0, duplicate: 0, conflict: 0, invalid: 0, refused: 0 }
  return { answers, latency: createHistogram(), connections: 0, refusing: null }
}
