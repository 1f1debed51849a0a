import type { Redis } from 'ioredis'
import { parseHealth, type Health } from '../health.ts'
import { WORKER_GROUP, type Keys } from '../keys.ts'
import { isProcessorName, PROCESSOR_NAMES, type PreferredProcessor, type ProcessorName } from '../payment.ts'
import { callFunction } from '../redis/library.ts'
import { fields, named, pairs, text, textList, wholeNumber } from '../redis/replies.ts'
import { parseAuditResult, type AuditResult } from './audit-result.ts'
import { parseReport, type Received } from './report.ts'

/** A worker as Redis knows it: its last sign of life, null if none is known, and how many payments it holds. */
export type WorkerSign = { name: string; seenAtMs: number | null; pendingCount: number }

export type RedisFigures = {
  usedBytes: number
  /** Null: as much as the machine has. */
  maxBytes: number | null
  /** Whether it keeps an append-only log at all; without one a crash loses everything. */
  keepsLog: boolean
  /** Whether its last write to the append-only log went well; false is the end of accepting. */
  canWriteLog: boolean
  /** Whether its last rewrite of that log went well; until one does, the log grows. */
  canRewriteLog: boolean
  /** What it does when it is full; anything but `noeviction` forgets what was accepted. */
  evictionPolicy: string
}

/**
 * The state of the whole system at one moment, as it stands in Redis. Times by the clock that decides; see
 * shared/redis/lua/clock.lua.
 */
export type Observation = {
  atMs: number
  /** Payments in the queue: waiting and in flight. */
  unsettledCount: number
  inFlightCount: number
  deadLetterCount: number
  /** When the oldest unsettled payment was accepted, and the oldest that no worker has; null when there is none. */
  oldestAcceptedAtMs: number | null
  oldestWaitingAcceptedAtMs: number | null
  preferred: PreferredProcessor | null
  /** What the health monitor last published. */
  health: Record<ProcessorName, Health | null>
  /** Whether some monitor has the lease. */
  hasMonitor: boolean
  workers: WorkerSign[]
  reports: Received[]
  /** Null if there was none since the books began. */
  audit: AuditResult | null
  redis: RedisFigures
  /** ISO time before which the totals are exact to the minute only; null: they always are to the millisecond. */
  totalsExactSince: string | null
}

/**
 * Reads everything that `GET /status` tells in one call of some 100 µs, whatever the length of the queue. Throws what
 * `callFunction` throws.
 */
export async function observe(redis: Redis, keys: Keys): Promise<Observation> {
  const callKeys = [
    keys.queue,
    keys.inFlight,
    keys.deadLetters,
    keys.workers,
    keys.reports,
    keys.reported,
    keys.preferredProcessor,
    keys.healthMonitor,
    ...PROCESSOR_NAMES.map(keys.health),
    keys.audit,
    keys.clock,
    keys.totalsExactSince
  ]
  const value = named(await callFunction(redis, 'observe', callKeys, [WORKER_GROUP]))
  const [preferred, exactSince] = [text(value('preferred')), text(value('exact-since'))]
  return {
    atMs: Number(text(value('now'))),
    unsettledCount: wholeNumber(value('unsettled')),
    inFlightCount: wholeNumber(value('in-flight')),
    deadLetterCount: wholeNumber(value('dead-letters')),
    oldestAcceptedAtMs: acceptedAtMs(text(value('oldest'))),
    oldestWaitingAcceptedAtMs: acceptedAtMs(text(value('oldest-waiting'))),
    preferred: isProcessorName(preferred) || preferred === 'none' ? preferred : null,
    health: {
      default: parseHealth(fields(value('default-health'))) ?? null,
      fallback: parseHealth(fields(value('fallback-health'))) ?? null
    },
    hasMonitor: value('lease') !== '',
    workers: workerSigns(pairs(value('workers')), pairs(value('consumers'))),
    reports: receivedReports(textList(value('reports'))),
    audit: parseAuditResult(fields(value('audit'))),
    redis: redisFigures(text(value('info'))),
    totalsExactSince: exactSince === '' ? null : exactSince
  }
}

/** The first half of an entry id is the time of acceptance. */
function acceptedAtMs(entryId: string): number | null {
  return entryId === '' ? null : Number(entryId.split('-')[0])
}

function workerSigns(signs: readonly [string, string][], consumers: readonly [string, string][]): WorkerSign[] {
  const workers = new Map<string, WorkerSign>()
  for (const [name, pending] of consumers) workers.set(name, { name, seenAtMs: null, pendingCount: Number(pending) })
  for (const [name, seenAtMs] of signs) {
    workers.set(name, { name, seenAtMs: Number(seenAtMs), pendingCount: workers.get(name)?.pendingCount ?? 0 })
  }
  return [...workers.values()]
}

function receivedReports(flat: readonly string[]): Received[] {
  const received: Received[] = []
  for (let at = 0; at < flat.length; at += 3) {
    const report = parseReport(flat[at + 2] ?? '')
    if (report) received.push({ name: flat[at] ?? '', seenAtMs: Number(flat[at + 1]), report })
  }
  return received
}

function redisFigures(info: string): RedisFigures {
  const value = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1]
  const bytes = (name: string) => Number(value(name) ?? 0)
  return {
    // What Redis compares with its limit: buffers of the log and of replicas don't count.
    usedBytes: bytes('used_memory') - bytes('mem_not_counted_for_evict'),
    maxBytes: bytes('maxmemory') || null,
    keepsLog: value('aof_enabled') !== '0',
    canWriteLog: value('aof_last_write_status') !== 'err',
    canRewriteLog: value('aof_last_bgrewrite_status') !== 'err',
    evictionPolicy: value('maxmemory_policy') ?? 'noeviction'
  }
}
