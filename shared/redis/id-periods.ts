import type { Redis } from 'ioredis'
import { periodOfNodes } from '../id-memory.ts'
import type { Keys } from '../keys.ts'
import { callFunction } from './library.ts'

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
      const [, name] = /^(\d{4}-\d\d-\d\dT\d\d):[0-9a-f]{3}$/.exec(node.slice(keys.idNodes.length)) ?? []
      if (name !== undefined) nodes.set(name, node)
    }
  }
  const periods: (string | number)[] = []
  for (const [name, node] of nodes) {
    const forgottenMs = await redis.pexpiretime(node)
    if (forgottenMs < 0) continue
    const { startMs, endMs } = periodOfNodes(name, forgottenMs)
    periods.push(name, startMs, endMs, forgottenMs)
  }
  if (periods.length > 0) await callFunction(redis, 'adopt_periods', [keys.idPeriods], periods)
}
