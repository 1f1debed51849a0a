// How long accepting takes between two moments. Pure.
import { isAccepted, type Sent } from './load.ts'
import { latenciesBetween } from './rate-figures.ts'
import { quantile } from './statistics.ts'

export type Accepting = {
  /** Requests that were due in the time. */
  requests: number
  failed: number
  /** From when a request was due until its answer. */
  p50Ms: number
  p99Ms: number
  maxMs: number
  /** The load tool's own part of it: how late it sent a request that was due on a free connection. */
  loadLagP99Ms: number
}

type Moment = { wallMicros: number }

export function acceptingBetween(begin: Moment, end: Moment, requests: readonly Sent[]): Accepting {
  const { acceptMicros, lagMicros } = latenciesBetween(begin, end, requests)
  const ms = (share: number) => quantile(acceptMicros, share) / 1_000
  return {
    requests: acceptMicros.length,
    failed: requests.filter(request => !isAccepted(request)).length,
    p50Ms: ms(0.5),
    p99Ms: ms(0.99),
    maxMs: ms(1),
    loadLagP99Ms: quantile(lagMicros, 0.99) / 1_000
  }
}
