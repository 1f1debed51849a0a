import type { Redis } from 'ioredis'
import { parseNodeName, periodFrom, type IdPeriod } from '../id-memory.ts'
import { MEASURES, WORKER_GROUP, type Keys } from '../keys.ts'
import { PROCESSOR_NAMES } from '../payment.ts'
import { periodArguments, untilPeriodFits } from './id-periods.ts'
import { callFunction } from './library.ts'

export function createPurge(redis: Redis, keys: Keys, idRetentionHours: number) {
  const roots = PROCESSOR_NAMES.flatMap(processor => MEASURES.map(measure => keys.totals(processor, measure, '')))
  const purgeKeys = [
    keys.queue,
    keys.inFlight,
    keys.deadLetters,
    keys.audit,
    keys.idPeriods,
    keys.totalsExactSince,
    keys.clock,
    ...roots
  ]
  return {
    /** Empties queue, in-flight records, dead letters, books, the last audit and the memory of ids, in one step. */
    async purge(): Promise<void> {
      // None: the first attempt tells the time.
      let period: IdPeriod = { name: '', startMs: 0, endMs: 0, forgottenMs: 0 }
      await untilPeriodFits(
        () => callFunction(redis, 'purge', purgeKeys, [WORKER_GROUP, ...periodArguments(period)]),
        // One that never was before, so that none of its nodes is.
        (nowMs, newestStartMs) => {
          period = periodFrom(nowMs, Math.max(newestStartMs, nowMs - 1), idRetentionHours)
        }
      )
    }
  }
}

/**
 * Empties queue, in-flight records, dead letters, books, what the last audit found in them, and the memory of ids.
 * Payments that a worker is sending at this moment may still be booked by their processor; they are not counted,
 * because their records are gone. Throws what `callFunction` throws.
 */
export async function purge(redis: Redis, keys: Keys, functions: { purge: () => Promise<void> }): Promise<void> {
  await functions.purge()
  // Nobody looks into the ids of periods that are no periods any more, so this need not be one step.
  for await (const page of redis.scanStream({ match: keys.idsPattern, count: 1_000 })) {
    // After the page: a period is begun before its first node.
    const current = new Set(await redis.hkeys(keys.idPeriods))
    const gone = (page as string[]).filter(node => !current.has(parseNodeName(node.slice(keys.idNodes.length)).period))
    if (gone.length > 0) await redis.unlink(...gone)
  }
}
