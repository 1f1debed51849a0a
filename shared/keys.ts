import type { ProcessorName } from './payment.ts'

/** What is summed for each processor. */
export const MEASURES = ['requests', 'cents'] as const
export type Measure = (typeof MEASURES)[number]

/** The consumer group of all workers. */
export const WORKER_GROUP = 'workers'

/**
 * The consumer whose pending payments belong to no worker: refused before anything was booked, or never handed out.
 * They are free for any worker and either processor.
 */
export const HELD_CONSUMER = 'held'

/**
 * Every key in Redis; docs/redis.md shows what a person types to read them. All share one hash tag, so
 * that they live in one slot of a Redis Cluster and one function call may touch any of them.
 */
export function createKeys(tag = 'payments') {
  const prefix = `{${tag}}:`
  return {
    /** Every key of ours begins with this. */
    prefix,
    /** Stream: a payment from its acceptance until it is settled. Fields: correlationId, cents. */
    queue: `${prefix}queue`,
    /** Hash, entry id → where the payment was, or is about to be, sent; see shared/redis/attempt-record.ts. */
    inFlight: `${prefix}in-flight`,
    /**
     * Stream: payments that both processors refused for good, and entries of the queue that are no payments, with the
     * reason.
     */
    deadLetters: `${prefix}dead-letters`,
    /**
     * Hash, name of a period → "<start> <end> <forgotten> <digits>": the periods whose ids are remembered; see
     * shared/id-memory.ts.
     */
    idPeriods: `${prefix}id-periods`,
    /** Begins the names of the hashes of ids; shared/id-memory.ts has the rest of them, and their fields. */
    idNodes: `${prefix}ids:`,
    /** Pattern for SCAN that finds every hash of ids. */
    idsPattern: `${prefix}ids:*`,
    /** Hash: seen, clock; the time that decides, which never goes back; see shared/redis/lua/clock.lua. */
    clock: `${prefix}clock`,
    /** Sorted set, worker name → its last sign of life in ms since 1970. */
    workers: `${prefix}workers`,
    /** Hash, process → what it tells about itself once a second, as JSON; see shared/watching/report.ts. */
    reports: `${prefix}reports`,
    /** Sorted set, process → when its report came, in ms since 1970. */
    reported: `${prefix}reported`,
    /** Hash: what the last audit of all payments found; see shared/watching/audit-result.ts. */
    audit: `${prefix}audit`,
    /**
     * Plain text: default, fallback or none. Expires when nobody publishes. Also the channel that tells of a change.
     */
    preferredProcessor: `${prefix}preferred-processor`,
    /** Plain text: the name of the one active health monitor. Expires soon after its death. */
    healthMonitor: `${prefix}health-monitor`,
    /** Hash: the last poll; see shared/health.ts. Expires when nobody publishes. */
    health: (processor: ProcessorName) => `${prefix}health:${processor}`,
    /** Plain text that exists while this processor must not be polled again. */
    healthPolled: (processor: ProcessorName) => `${prefix}health-polled:${processor}`,
    /**
     * Plain text, a whole minute as ISO time: before it the totals are exact to the minute only. Missing: always to the
     * millisecond.
     */
    totalsExactSince: `${prefix}totals-exact-since`,
    /** Hash: one level of the totals; see shared/totals.ts for `window` and the fields. */
    totals: (processor: ProcessorName, measure: Measure, window: string) =>
      `${prefix}totals:${processor}:${measure}${window && `:${window}`}`,
    /** Pattern for SCAN that finds every hash of the totals. */
    totalsPattern: `${prefix}totals:*`
  }
}

export type Keys = ReturnType<typeof createKeys>
