import { copyOf, since, toSparse, type Histogram } from '../../shared/watching/histogram.ts'
import { countsSince, perSecond, Recent, type Counts } from '../../shared/watching/recent.ts'
import type { AcceptOutcome, GatewayReport, ProcessFigures } from '../../shared/watching/report.ts'
import type { Tally } from '../tally.ts'

type Sample = { answers: Counts<AcceptOutcome>; latency: Histogram }

/** A little more than they say, because a timer is sometimes late. */
const SECOND_MS = 1_500
const TEN_SECONDS_MS = 10_500

/**
 * Makes a gateway's reports of its tally. To be called once a second: recent figures are differences between
 * calls.
 */
export function createGatewayReport(identity: { label: string; startedAtMs: number }, tally: Tally) {
  const recent = new Recent<Sample>(TEN_SECONDS_MS)
  return (process: ProcessFigures, nowMs: number): GatewayReport => {
    const now = { answers: { ...tally.answers }, latency: copyOf(tally.latency) }
    recent.add(now, nowMs)
    const { earlier, seconds } = recent.span(SECOND_MS) ?? { earlier: { value: now }, seconds: 0 }
    const longer = recent.span(TEN_SECONDS_MS)?.earlier.value ?? now
    const answers = countsSince(now.answers, longer.answers)
    return {
      role: 'gateway',
      label: identity.label,
      startedAtMs: identity.startedAtMs,
      process,
      acceptedPerSecond: perSecond(now.answers.accepted - earlier.value.answers.accepted, seconds),
      recent: { answers, latency: toSparse(since(now.latency, longer.latency)) },
      // Without payments nobody learns that the trouble is over.
      refusing: answers.refused > 0 ? tally.refusing : null,
      connections: tally.connections
    }
  }
}
