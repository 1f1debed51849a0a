import type { ProcessorName } from '../payment.ts'
import type { SparseHistogram } from './histogram.ts'
import type { Counts } from './recent.ts'

/**
 * What a process tells about itself once a second: only what it alone knows. It stands as JSON in Redis, where people
 * read it as well; `GET /status` is made of all reports. Times are in ms since 1970 by the process's own clock.
 */
export type Report = GatewayReport | WorkerReport | MonitorReport

export type ReportOf<Role extends Report['role']> = Extract<Report, { role: Role }>

type AnyReport = {
  /** As configured, e.g. gateway-1; the report's name in Redis has a random part behind it. */
  label: string
  startedAtMs: number
  process: ProcessFigures
}

export type ProcessFigures = {
  /** 99th percentile of how late the event loop was since the last report, in ms. */
  eventLoopLagMs: number
  residentBytes: number
  /** Share of the CPU quota's periods in which it was used up, over the last ten seconds; null without a quota. */
  throttledShare: number | null
}

/** The answer to a client that sent a payment. */
export const ACCEPT_OUTCOMES = ['accepted', 'duplicate', 'conflict', 'invalid', 'refused'] as const
export type AcceptOutcome = (typeof ACCEPT_OUTCOMES)[number]

export type GatewayReport = AnyReport & {
  role: 'gateway'
  /** In the last second. */
  acceptedPerSecond: number
  /** In the last ten seconds. */
  recent: { answers: Counts<AcceptOutcome>; latency: SparseHistogram }
  /** Why payments get 503 now; null when they don't. */
  refusing: { reason: string; sinceMs: number } | null
  connections: number
}

/** What processors answered to payments; see processor-worker/outcome.ts. */
export const SEND_OUTCOMES = ['booked', 'already-booked', 'not-booked', 'rejected', 'unknown'] as const
export type SendOutcomeKind = (typeof SEND_OUTCOMES)[number]

/** OPEN: payments wait. HALF_OPEN: one is let through to see whether the processor is back, or the next one will be. */
export type BreakerState = 'CLOSED' | 'OPEN' | 'HALF_OPEN'

export type LaneReport = {
  /** `sinceMs` is null if it never was in another state. */
  breaker: { state: BreakerState; sinceMs: number | null }
  inFlight: number
  /** In the last second. */
  settledPerSecond: number
  /** In the last ten seconds; latency of the answers to what was sent for the first time. */
  recent: { answers: Counts<SendOutcomeKind>; latency: SparseHistogram }
}

/**
 * What of a worker's work with Redis can fail while it lives: the heartbeat, which also takes over from the dead; or
 * settling and taking.
 */
export type TroubleKind = 'heartbeat' | 'exchange'

/** What a worker could not do when it last tried, why, and since when. */
export type TroubleReport = { what: TroubleKind; reason: string; sinceMs: number }

export type WorkerReport = AnyReport & {
  role: 'worker'
  processors: Record<ProcessorName, LaneReport>
  /** Missing or empty: none. Older workers don't tell. */
  troubles?: TroubleReport[]
}

/** The result of the last poll of a processor: well, failing, trouble (no sensible answer), or too early (429). */
export const POLL_RESULTS = ['well', 'failing', 'trouble', 'too-early'] as const
export type PollResultKind = (typeof POLL_RESULTS)[number]

export type PollReport = { result: PollResultKind; atMs: number; reason?: string }

export type MonitorReport = AnyReport & {
  role: 'monitor'
  /** Whether it polls, or waits for the one that does to fail. */
  isActive: boolean
  polls: Record<ProcessorName, PollReport | null>
}

/** A report as Redis has it, with when it came by Redis's clock. */
export type Received = { name: string; seenAtMs: number; report: Report }

/** Undefined for what is no report, such as one of another version of the services. */
export function parseReport(text: string): Report | undefined {
  try {
    const value = JSON.parse(text) as Partial<Report> & { version?: unknown }
    return value.version === REPORT_VERSION ? (value as Report) : undefined
  } catch {
    return undefined
  }
}

export function renderReport(report: Report): string {
  return JSON.stringify({ version: REPORT_VERSION, ...report })
}

/** Goes up when the shape above changes, so that a gateway never misreads services of another version. */
const REPORT_VERSION = 1
