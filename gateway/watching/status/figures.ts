import { PROCESSOR_NAMES, type PreferredProcessor, type ProcessorName } from '../../../shared/payment.ts'
import type { Totals } from '../../../shared/redis/totals.ts'
import type { MemoryParts } from '../../../shared/watching/memory-parts.ts'
import type { Observation, RedisFigures } from '../../../shared/watching/observe.ts'
import { foundEqual } from '../../../shared/watching/audit-result.ts'
import { countOf, fromSparse, meanMs, quantileMs, sumOf } from '../../../shared/watching/histogram.ts'
import {
  ACCEPT_OUTCOMES,
  SEND_OUTCOMES,
  type AcceptOutcome,
  type BreakerState,
  type LaneReport,
  type PollReport,
  type ReportOf,
  type SendOutcomeKind,
  type TroubleReport
} from '../../../shared/watching/report.ts'
import { feeOf, moneyFigures, type Fees, type MoneyFigures } from './money.ts'
import { whyPreferred } from './preferred.ts'
import { processesOf, workersOf, type ProcessSign, type Seen } from './processes.ts'
import { verdictOf, type Verdict } from './verdict.ts'

/** A breaker as one worker has it. */
export type BreakerFigures = { worker: string; state: BreakerState; since: string | null; openSeconds: number | null }

export type LatencyFigures = { count: number; meanMs: number | null; p50Ms: number | null; p99Ms: number | null }

export type ProcessorFigures = {
  verdict: Verdict
  /** As published; null when nobody has published for too long. */
  health: { failing: boolean; minResponseTimeMs: number; checkedAt: string; ageSeconds: number } | null
  breakers: BreakerFigures[]
  inFlight: number
  /** Over the last ten seconds: share of the answers that booked the payment, null without answers. */
  successRate: number | null
  answers: Record<SendOutcomeKind, number>
  latency: LatencyFigures
  settledPerSecond: number
  /** Since the books began; amounts in cents. */
  settled: { payments: bigint; amount: bigint; fees: bigint }
}

export type GatewayFigures = ProcessSign & {
  acceptedPerSecond: number
  connections: number
  refusing: { reason: string; since: string; answers: number } | null
}
export type WorkerFigures = ProcessSign & {
  pending: number
  troubles: (Omit<TroubleReport, 'sinceMs'> & { since: string })[]
}
export type MonitorFigures = ProcessSign & {
  isActive: boolean
  polls: Record<ProcessorName, (Omit<PollReport, 'atMs'> & { at: string }) | null>
}

/** What the last audit found, ours minus the processor's; amounts in cents. */
export type AuditFigures = {
  at: string
  ageSeconds: number
  kind: 'plain' | 'deep'
  until: string
  isEqual: boolean
  differences: Record<ProcessorName, { payments: bigint; amount: bigint }>
  differingPayments: number | null
  /**
   * Payments in flight, which were left out, and since when the oldest was at that time; null if an older version
   * audited.
   */
  notCompared: { count: number; oldestSentAt: string | null; oldestSeconds: number | null } | null
  /** How many of the payments in our books were compared one by one; null if none were. */
  oneByOne: { compared: number; of: number } | null
}

/** What of Redis's memory each part takes, estimated at most 10 s ago; `otherBytes` is all the rest that Redis uses. */
export type MemoryFigures = MemoryParts & { otherBytes: number }

/** The whole system at one moment: the same figures whichever gateway tells them. Money in cents. */
export type Figures = {
  at: string
  processors: Record<ProcessorName, ProcessorFigures>
  preferred: { processor: PreferredProcessor | null; why: string }
  /** Whether some health monitor polls the processors. */
  isPolled: boolean
  queue: {
    /** Accepted, not settled: waiting and in flight. */
    unsettled: number
    waiting: number
    inFlight: number
    /** Null when there is none. */
    oldestSeconds: number | null
    oldestWaitingSeconds: number | null
    deadLetters: number
  }
  acceptedPerSecond: number
  settledPerSecond: number
  /** Of all gateways over the last ten seconds; the latency of those answers that Redis was asked for. */
  accepting: { answers: Record<AcceptOutcome, number>; latency: LatencyFigures }
  money: MoneyFigures
  /** Before it summaries are exact to the minute only; null: they always are to the millisecond. */
  totalsExactSince: string | null
  /** Null if there was none since the books began. */
  audit: AuditFigures | null
  gateways: GatewayFigures[]
  workers: WorkerFigures[]
  monitors: MonitorFigures[]
  /** `memory` is null where it could not be weighed. */
  redis: RedisFigures & { memory: MemoryFigures | null }
}

/** What a gateway reads from Redis for it. */
export type Reading = { observation: Observation; totals: Record<ProcessorName, Totals>; memory: MemoryParts | null }

export function figuresOf({ observation, totals, memory }: Reading, fees: Fees): Figures {
  const { atMs, oldestAcceptedAtMs, oldestWaitingAcceptedAtMs } = observation
  const gateways = processesOf('gateway', observation)
  const workers = workersOf(observation)
  const monitors = processesOf('monitor', observation)
  const gatewayReports = reportsOfLiving(gateways)
  const processor = (name: ProcessorName) => processorFigures(name, workers, observation, totals[name], fees[name])
  const processors = { default: processor('default'), fallback: processor('fallback') }

  return {
    at: iso(atMs),
    processors,
    preferred: {
      processor: observation.preferred,
      why: whyPreferred(
        observation.preferred,
        mapProcessors(processors, ({ health }) => health !== null),
        mapProcessors(processors, ({ verdict }) => verdict === 'fails')
      )
    },
    // A lease outlives its holder; and after a restart of Redis reports come a second later than leases.
    isPolled: observation.hasMonitor && (monitors.length === 0 || monitors.some(({ sign }) => sign.isAlive)),
    queue: {
      unsettled: observation.unsettledCount,
      waiting: Math.max(0, observation.unsettledCount - observation.inFlightCount),
      inFlight: observation.inFlightCount,
      oldestSeconds: oldestAcceptedAtMs === null ? null : secondsBetween(oldestAcceptedAtMs, atMs),
      oldestWaitingSeconds: oldestWaitingAcceptedAtMs === null ? null : secondsBetween(oldestWaitingAcceptedAtMs, atMs),
      deadLetters: observation.deadLetterCount
    },
    acceptedPerSecond: total(gatewayReports.map(report => report.acceptedPerSecond)),
    settledPerSecond: total(PROCESSOR_NAMES.map(name => processors[name].settledPerSecond)),
    accepting: {
      answers: addUp(
        ACCEPT_OUTCOMES,
        gatewayReports.map(({ recent }) => recent.answers)
      ),
      latency: latencyFigures(gatewayReports.map(({ recent }) => recent.latency))
    },
    money: moneyFigures(totals, fees),
    totalsExactSince: observation.totalsExactSince,
    audit: auditFigures(observation),
    gateways: gateways.flatMap(({ sign, report }) => (report ? [gatewayFigures(sign, report)] : [])),
    workers: workers.map(({ sign, report, pendingCount }) => ({
      ...sign,
      pending: pendingCount,
      troubles: sign.isAlive ? troublesOf(report) : []
    })),
    monitors: monitors.flatMap(({ sign, report }) => (report ? [monitorFigures(sign, report)] : [])),
    redis: { ...observation.redis, memory: memory && memoryFigures(memory, observation.redis.usedBytes) }
  }
}

function processorFigures(
  name: ProcessorName,
  workers: readonly Seen<'worker'>[],
  observation: Observation,
  { requests, cents }: Totals,
  fee: bigint
): ProcessorFigures {
  const { atMs } = observation
  const lanes = workers.flatMap(({ sign, report }) =>
    sign.isAlive && report ? [{ worker: sign.label, lane: report.processors[name] }] : []
  )
  const answers = addUp(
    SEND_OUTCOMES,
    lanes.map(({ lane }) => lane.recent.answers)
  )
  const answerCount = SEND_OUTCOMES.reduce((sum, outcome) => sum + answers[outcome], 0)
  const health = observation.health[name]
  const published = health && {
    failing: health.failing,
    minResponseTimeMs: health.minResponseTimeMs,
    checkedAt: iso(health.checkedAtMs),
    ageSeconds: secondsBetween(health.checkedAtMs, atMs)
  }
  const breakers = lanes.map(({ worker, lane }) => breakerFigures(worker, lane, atMs))
  return {
    verdict: verdictOf({ breakers, health: published, answers }),
    health: published,
    breakers,
    inFlight: total(lanes.map(({ lane }) => lane.inFlight)),
    successRate:
      answerCount === 0
        ? null
        : Math.round(((answers.booked + answers['already-booked']) / answerCount) * 10_000) / 10_000,
    answers,
    latency: latencyFigures(lanes.map(({ lane }) => lane.recent.latency)),
    settledPerSecond: total(lanes.map(({ lane }) => lane.settledPerSecond)),
    settled: { payments: requests, amount: cents, fees: feeOf(cents, fee) }
  }
}

function memoryFigures({ queueBytes, idsBytes, totalsBytes }: MemoryParts, usedBytes: number): MemoryFigures {
  return { queueBytes, idsBytes, totalsBytes, otherBytes: Math.max(0, usedBytes - queueBytes - idsBytes - totalsBytes) }
}

function breakerFigures(worker: string, { breaker: { state, sinceMs } }: LaneReport, atMs: number): BreakerFigures {
  const openSeconds = state !== 'CLOSED' && sinceMs !== null ? secondsBetween(sinceMs, atMs) : null
  return { worker, state, since: sinceMs === null ? null : iso(sinceMs), openSeconds }
}

function auditFigures({ audit, atMs }: Observation): AuditFigures | null {
  if (audit === null) return null
  const sentAtMs = audit.notCompared?.oldestSentAtMs ?? null
  const difference = (name: ProcessorName) => ({
    payments: audit.differences[name].payments,
    amount: audit.differences[name].cents
  })
  return {
    at: iso(audit.atMs),
    ageSeconds: secondsBetween(audit.atMs, atMs),
    kind: audit.kind,
    until: iso(audit.untilMs),
    isEqual: foundEqual(audit),
    differences: { default: difference('default'), fallback: difference('fallback') },
    differingPayments: audit.differingPayments,
    notCompared: audit.notCompared && {
      count: audit.notCompared.payments,
      oldestSentAt: sentAtMs === null ? null : iso(sentAtMs),
      oldestSeconds: sentAtMs === null ? null : secondsBetween(sentAtMs, audit.atMs)
    },
    oneByOne: audit.oneByOne
  }
}

function gatewayFigures(
  sign: ProcessSign,
  { acceptedPerSecond, connections, refusing, recent }: ReportOf<'gateway'>
): GatewayFigures {
  return {
    ...sign,
    acceptedPerSecond: sign.isAlive ? rounded(acceptedPerSecond) : 0,
    connections: sign.isAlive ? connections : 0,
    refusing:
      refusing && sign.isAlive
        ? { reason: refusing.reason, since: iso(refusing.sinceMs), answers: recent.answers.refused }
        : null
  }
}

function troublesOf(report: ReportOf<'worker'> | undefined): WorkerFigures['troubles'] {
  return (report?.troubles ?? []).map(({ what, reason, sinceMs }) => ({ what, reason, since: iso(sinceMs) }))
}

function monitorFigures(sign: ProcessSign, { isActive, polls }: ReportOf<'monitor'>): MonitorFigures {
  const poll = (name: ProcessorName) => {
    const last = polls[name]
    return (
      last && { result: last.result, at: iso(last.atMs), ...(last.reason !== undefined && { reason: last.reason }) }
    )
  }
  return {
    ...sign,
    isActive: isActive && sign.isAlive,
    polls: { default: poll('default'), fallback: poll('fallback') }
  }
}

function reportsOfLiving(seen: readonly Seen<'gateway'>[]): ReportOf<'gateway'>[] {
  return seen.flatMap(({ sign, report }) => (sign.isAlive && report ? [report] : []))
}

function latencyFigures(sparse: readonly LaneReport['recent']['latency'][]): LatencyFigures {
  const histogram = sumOf(sparse.map(fromSparse))
  const figure = (ms: number | undefined) => (ms === undefined ? null : rounded(ms))
  return {
    count: countOf(histogram),
    meanMs: figure(meanMs(histogram)),
    p50Ms: figure(quantileMs(histogram, 0.5)),
    p99Ms: figure(quantileMs(histogram, 0.99))
  }
}

function addUp<K extends string>(names: readonly K[], records: readonly Record<K, number>[]): Record<K, number> {
  return Object.fromEntries(names.map(name => [name, total(records.map(record => record[name]))])) as Record<K, number>
}

function mapProcessors<T>(
  processors: Figures['processors'],
  read: (figures: ProcessorFigures) => T
): Record<ProcessorName, T> {
  return { default: read(processors.default), fallback: read(processors.fallback) }
}

function total(numbers: readonly number[]): number {
  return rounded(numbers.reduce((sum, number) => sum + number, 0))
}

/** Two decimals are all that means something. */
function rounded(number: number): number {
  return Math.round(number * 100) / 100
}

/** 0 where the clocks of two processes differ, and so the end would come first. */
function secondsBetween(fromMs: number, toMs: number): number {
  return Math.max(0, toMs - fromMs) / 1_000
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
