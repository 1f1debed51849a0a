import type { Redis } from 'ioredis'
import type { Keys } from '../keys.ts'
import type { Functions } from './functions.ts'

/**
 * Empties queue, in-flight records, dead letters, books, what the last audit found in them, and the memory of ids.
 * Payments that a worker is sending at this moment may still be booked by their processor; they are not counted,
 * because their records are gone. Throws what `callFunction` throws.
 */
export async function purge(redis: Redis, keys: Keys, functions: Functions): Promise<void> {
  await functions.purge()
  // Nobody looks into the ids of periods that are no periods any more, so this need not be one step.
  for await (const page of redis.scanStream({ match: keys.idsPattern, count: 1_000 })) {
    // After the page: a period is begun before its first node.
    const current = new Set(await redis.hkeys(keys.idPeriods))
    const gone = (page as string[]).filter(node => !current.has(periodNameOf(node, keys)))
    if (gone.length > 0) await redis.unlink(...gone)
  }
}

/** A node's name is that of its period, then digits of an id. */
function periodNameOf(node: string, keys: Keys): string {
  return node.slice(keys.idNodes.length, node.lastIndexOf(':'))
}
