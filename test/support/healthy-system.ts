// A system in which all is well, as its processes report it and Redis has it: each test names only what differs.
import { required } from './payments.ts'
import { figuresOf, type Figures, type Reading } from '../../gateway/watching/status/figures.ts'
import { renderStatus } from '../../gateway/watching/status/render.ts'
import { problemsOf } from '../../gateway/watching/status/problems.ts'
import { parseStatus, type ReceivedStatus } from '../../gateway/watching/top/status-json.ts'
import type { ProcessorName } from '../../shared/payment.ts'
import { createHistogram, addSample, toSparse, type SparseHistogram } from '../../shared/watching/histogram.ts'
import type { Observation } from '../../shared/watching/observe.ts'
import type {
  BreakerState,
  GatewayReport,
  LaneReport,
  MonitorReport,
  Received,
  WorkerReport
} from '../../shared/watching/report.ts'

export const NOW_MS = Date.parse('2026-11-21T12:00:00.000Z')
export const FEES = { default: 50_000n, fallback: 150_000n }
const COMMON = {
  startedAtMs: NOW_MS - 60_000,
  process: { eventLoopLagMs: 0.4, residentBytes: 62_914_560, throttledShare: null }
}

export function latencyOf(...times: number[]): SparseHistogram {
  const histogram = createHistogram()
  for (const ms of times) addSample(histogram, ms)
  return toSparse(histogram)
}

export function gateway(label: string, changes: Partial<GatewayReport> = {}): GatewayReport {
  const answers = { accepted: 500, duplicate: 2, conflict: 0, invalid: 0, refused: 0 }
  const recent = { answers, latency: latencyOf(1, 1, 1, 8) }
  return {
    role: 'gateway',
    label,
    ...COMMON,
    acceptedPerSecond: 50,
    refusing: null,
    connections: 3,
    recent,
    ...changes
  }
}

/** What a worker has at one processor. */
export function lane(state: BreakerState = 'CLOSED', sinceMs: number | null = null): LaneReport {
  const answers = { booked: 90, 'already-booked': 0, 'not-booked': 10, rejected: 0, unknown: 0 }
  const recent = { answers, latency: latencyOf(10, 10) }
  return { breaker: { state, sinceMs }, inFlight: 2, settledPerSecond: 45, recent }
}

export function worker(label: string, lanes: Partial<WorkerReport['processors']> = {}): WorkerReport {
  return { role: 'worker', label, ...COMMON, processors: { default: lane(), fallback: lane(), ...lanes } }
}

export const MONITOR: MonitorReport = {
  role: 'monitor',
  label: 'monitor-1',
  ...COMMON,
  isActive: true,
  polls: { default: { result: 'well', atMs: NOW_MS - 2_000 }, fallback: null }
}

export function received(report: Received['report'], agoMs = 500, suffix = 'a'): Received {
  return { name: `${report.label}-${suffix}`, seenAtMs: NOW_MS - agoMs, report }
}

export const WELL = { failing: false, minResponseTimeMs: 0, checkedAtMs: NOW_MS - 2_000 }

export const HEALTHY: Observation = {
  atMs: NOW_MS,
  unsettledCount: 7,
  inFlightCount: 3,
  deadLetterCount: 0,
  oldestAcceptedAtMs: NOW_MS - 100,
  oldestWaitingAcceptedAtMs: null,
  preferred: 'default',
  health: { default: WELL, fallback: WELL },
  hasMonitor: true,
  workers: [{ name: 'worker-1-a', seenAtMs: NOW_MS - 200, pendingCount: 3 }],
  reports: [gateway('gateway-1'), gateway('gateway-2'), worker('worker-1'), MONITOR].map(report => received(report)),
  audit: null,
  redis: {
    usedBytes: 5_242_880,
    maxBytes: 58_720_256,
    keepsLog: true,
    canWriteLog: true,
    canRewriteLog: true,
    evictionPolicy: 'noeviction'
  },
  totalsExactSince: null
}

/** The healthy reports, one of them replaced. */
export function withReport(report: Received['report'], agoMs?: number): Received[] {
  const replacement = received(report, agoMs)
  return HEALTHY.reports.map(each => (each.report.label === report.label ? replacement : each))
}

/** The same, with breakers of worker-1 that have not been closed for 12 s. */
export function withBreaker(...opened: [name: ProcessorName, state: BreakerState][]): Received[] {
  const lanes = opened.map(([name, state]) => [name, lane(state, NOW_MS - 12_000)])
  return withReport(worker('worker-1', Object.fromEntries(lanes) as WorkerReport['processors']))
}

type Others = Partial<Omit<Reading, 'observation'>>

export function reading(changes: Partial<Observation> = {}, others: Others = {}): Reading {
  return {
    observation: { ...HEALTHY, ...changes },
    totals: { default: { requests: 20n, cents: 39_800n }, fallback: { requests: 1n, cents: 1_000n } },
    memory: { queueBytes: 1_048_576, idsBytes: 2_097_152, totalsBytes: 524_288 },
    ...others
  }
}

export function figures(changes?: Partial<Observation>, others?: Others): Figures {
  return figuresOf(reading(changes, others), FEES)
}

/** The status as gateway-2 tells it over the wire. */
export function told(changes?: Partial<Observation>, others?: Others): ReceivedStatus {
  const all = figures(changes, others)
  const body = renderStatus({ problems: problemsOf(all), isCurrent: true, answeredBy: 'gateway-2', ...all })
  return required(parseStatus(body))
}
