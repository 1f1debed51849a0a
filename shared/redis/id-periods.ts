import type { Redis } from 'ioredis'
import { parseNodeName, periodFrom, periodOfNodes, type IdPeriod } from '../id-memory.ts'
import type { Keys } from '../keys.ts'
import { noPeriodOf } from './errors.ts'
import { callFunction } from './library.ts'

/** More than there are periods to begin when services of several retentions start at a time. */
const PERIODS_BEGUN_MAX = 10

/**
 * Tries again for as long as the attempt finds no period that it can do with, each time after `begin`. Throws what
 * either throws.
 */
export async function untilPeriodFits<T>(
  attempt: () => Promise<T>,
  begin: (nowMs: number, newestStartMs: number) => unknown
): Promise<T> {
  for (let begunCount = 0; ; begunCount++) {
    try {
      return await attempt()
    } catch (error) {
      const found = noPeriodOf(error)
      if (found === undefined || begunCount === PERIODS_BEGUN_MAX) throw error
      await begin(found.nowMs, found.newestStartMs)
    }
  }
}

/** Begins periods until there is one that remembers for so long. */
export function untilRemembered<T>(
  redis: Redis,
  keys: Keys,
  idRetentionHours: number,
  attempt: () => Promise<T>
): Promise<T> {
  return untilPeriodFits(attempt, (nowMs, newestStartMs) => {
    const period = periodFrom(nowMs, newestStartMs, idRetentionHours)
    return callFunction(redis, 'begin_period', [keys.idPeriods], [...periodArguments(period), nowMs])
  })
}

/** As lua/ids.lua takes a period. */
export function periodArguments({ name, startMs, endMs, forgottenMs }: IdPeriod): [string, number, number, number] {
  return [name, startMs, endMs, forgottenMs]
}

/**
 * Version 0.1 kept no list of the periods in which it remembered ids. Where there is none yet, makes one of the hashes
 * that are there, so that what was accepted before an upgrade is not accepted again. Reads all keys once; may be called
 * by several services at a time. Throws what `callFunction` throws.
 */
export async function adoptIdPeriods(redis: Redis, keys: Keys): Promise<void> {
  if ((await redis.exists(keys.idPeriods)) === 1) return
  const nodes = new Map<string, string>()
  for await (const page of redis.scanStream({ match: keys.idsPattern, count: 1_000 })) {
    for (const node of page as string[]) {
      const { period, digits } = parseNodeName(node.slice(keys.idNodes.length))
      if (/^\d{4}-\d\d-\d\dT\d\d$/.test(period) && /^[0-9a-f]{3}$/.test(digits)) nodes.set(period, node)
    }
  }
  const periods: (string | number)[] = []
  for (const [name, node] of nodes) {
    const forgottenMs = await redis.pexpiretime(node)
    if (forgottenMs < 0) continue
    periods.push(...periodArguments(periodOfNodes(name, forgottenMs)))
  }
  if (periods.length > 0) await callFunction(redis, 'adopt_periods', [keys.idPeriods], periods)
}
