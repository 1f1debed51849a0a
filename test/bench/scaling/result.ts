import type { RateResult } from '../result.ts'

/** What one command found: one line of JSON in .results/scaling.jsonl, with its provenance. */
export type ScalingFigures = { seconds: number; setups: Setup[]; sizing: SizingSample[] }

/** So many workers and gateways at the highest rate at which the queue did not grow. */
export type Setup = {
  workers: number
  gateways: number
  highest: RateResult
  /** µs of CPU a payment of each process, by its name. */
  microsByProcess: Record<string, number>
  /** What the machine limits, in sentences. */
  limits: string[]
}

/** What is needed at a rate, by the setup with the fewest processes. */
export type SizingSample = {
  /** The rate it is for, and the one that it was measured at. */
  rate: number
  measuredAt: number
  figures: RateResult
  /** What the totals in Redis grew by. */
  totalsBytesPerSecond: number
}
