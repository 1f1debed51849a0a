import type { ProcessorName } from '../../shared/payment.ts'
import { copyOf, since, toSparse, type Histogram } from '../../shared/watching/histogram.ts'
import { countsSince, perSecond, Recent, type Counts } from '../../shared/watching/recent.ts'
import type {
  LaneReport,
  ProcessFigures,
  SendOutcomeKind,
  WorkerReport,
  TroubleReport
} from '../../shared/watching/report.ts'
import { breakerState, type Breaker, type BreakerLimits } from '../breaker.ts'
import { NEVER_MS } from '../time.ts'
import type { LaneTally, Tally } from '../tally.ts'

/** What the loop has of one processor now. */
export type LaneView = { breaker: Breaker; inFlightCount: number }

type Sample = { answers: Counts<SendOutcomeKind>; latency: Histogram; settled: number }

/** A little more than they say, because a timer is sometimes late. */
const SECOND_MS = 1_500
const TEN_SECONDS_MS = 10_500

/**
 * Makes a worker's reports of its tally. To be called once a second: recent figures are differences between calls.
 */
export function createWorkerReport(
  identity: { label: string; startedAtMs: number },
  tally: Tally,
  limits: BreakerLimits
) {
  const lanes = { default: laneReport(tally.default, limits), fallback: laneReport(tally.fallback, limits) }
  return (
    process: ProcessFigures,
    view: Record<ProcessorName, LaneView>,
    troubles: TroubleReport[],
    nowMs: number
  ): WorkerReport => ({
    role: 'worker',
    label: identity.label,
    startedAtMs: identity.startedAtMs,
    process,
    processors: { default: lanes.default(view.default, nowMs), fallback: lanes.fallback(view.fallback, nowMs) },
    troubles
  })
}

function laneReport(tally: LaneTally, limits: BreakerLimits) {
  const recent = new Recent<Sample>(TEN_SECONDS_MS)
  return ({ breaker, inFlightCount }: LaneView, nowMs: number): LaneReport => {
    const now = { answers: { ...tally.answers }, latency: copyOf(tally.latency), settled: tally.settled }
    recent.add(now, nowMs)
    const { earlier, seconds } = recent.span(SECOND_MS) ?? { earlier: { value: now }, seconds: 0 }
    const longer = recent.span(TEN_SECONDS_MS)?.earlier.value ?? now
    return {
      breaker: {
        state: breakerState(breaker, nowMs, limits),
        sinceMs: breaker.sinceMs === NEVER_MS ? null : breaker.sinceMs
      },
      inFlight: inFlightCount,
      settledPerSecond: perSecond(now.settled - earlier.value.settled, seconds),
      recent: {
        answers: countsSince(now.answers, longer.answers),
        latency: toSparse(since(now.latency, longer.latency))
      }
    }
  }
}
