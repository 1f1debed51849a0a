import type { Redis } from 'ioredis'
import type { Keys } from '../keys.ts'
import type { Functions } from './functions.ts'

/**
 * Empties queue, in-flight records, dead letters, books, what the last audit found in them, and the memory of ids. Payments that a worker is sending at this moment may still
 * be booked by their processor; they are not counted, because their records are gone.
 */
export async function purge(redis: Redis, keys: Keys, functions: Functions): Promise<void> {
  // The queue goes first and in one step, so that nothing can settle into books that are being emptied.
  await redis.unlink(keys.queue, keys.inFlight, keys.deadLetters)
  await functions.createGroup()
  for (const match of [keys.totalsPattern, keys.idsPattern]) {
    for await (const page of redis.scanStream({ match, count: 1_000 })) {
      const found = page as string[]
      if (found.length > 0) await redis.unlink(...found)
    }
  }
  await redis.unlink(keys.audit)
}
