import type { Accepting } from '../accepting.ts'
import type { ByService } from '../result.ts'
import type { RangeName } from './ranges.ts'

/** What one command found: one line of JSON in .results/summary.jsonl, with its provenance. */
export type SummaryFigures = {
  payments: number
  rate: number
  seconds: number
  filledPerSecond: number
  memory: {
    /** Redis's used memory, more than when the system was empty. */
    usedBytes: number
    idCount: number
    idBytes: number
    /** Without the ids: the totals. */
    totalsBytes: number
  }
  rounds: Round[]
}

/** Summaries alone, accepting alone, and both at the same time. */
export type Round = {
  alone: Summaries
  /** µs of CPU a summary, what the services do by themselves meanwhile included. */
  aloneMicrosByService: ByService
  accepting: Accepting
  acceptingBeside: Accepting
  beside: Summaries
}

export type Summaries = {
  ranges: Record<RangeName, { asked: number; p50Ms: number; p99Ms: number; maxMs: number }>
  /** How late this program sent a question after it was due. */
  lateP99Ms: number
}
