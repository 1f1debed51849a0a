import type { ProcessorName } from '../shared/payment.ts'
import type { Counts } from '../shared/watching/recent.ts'
import type { MonitorReport, PollReport, PollResultKind, ProcessFigures } from '../shared/watching/report.ts'
import type { PollResult } from './poller.ts'

/** What a monitor knows about itself. */
export type Tally = {
  isActive: boolean
  /** Polls since the start, by their results. */
  polls: Record<ProcessorName, Counts<PollResultKind>>
  last: Record<ProcessorName, PollReport | null>
}

export function createTally(): Tally {
  const none = () => ({ well: 0, failing: 0, trouble: 0, 'too-early': 0 })
  return { isActive: false, polls: { default: none(), fallback: none() }, last: { default: null, fallback: null } }
}

export function notePoll(tally: Tally, processor: ProcessorName, polled: PollResult, atMs: number): void {
  const result = polled.kind !== 'health' ? polled.kind : polled.health.failing ? 'failing' : 'well'
  tally.polls[processor][result] += 1
  tally.last[processor] = { result, atMs, ...(polled.kind === 'trouble' && { reason: polled.reason }) }
}

export function monitorReport(
  identity: { label: string; startedAtMs: number },
  tally: Tally,
  process: ProcessFigures
): MonitorReport {
  const { label, startedAtMs } = identity
  return { role: 'monitor', label, startedAtMs, process, isActive: tally.isActive, polls: tally.last }
}
