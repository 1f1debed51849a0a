import type { Redis } from 'ioredis'
import type { Keys } from '../keys.ts'
import { callFunction } from '../redis/library.ts'

/** A process that died is remembered for so long, so that the status can still say that it is missing. */
const KEPT_MS = 300_000

/** What the processes tell about themselves, in Redis. Both calls throw what `callFunction` throws. */
export function createReports(redis: Redis, keys: Keys) {
  return {
    /** Replaces the report of a process, and forgets those that have not reported for five minutes. */
    async send(name: string, text: string): Promise<void> {
      await callFunction(redis, 'report', [keys.reports, keys.reported, keys.clock], [name, text, KEPT_MS])
    },
    /** For a process that ends on purpose. */
    async withdraw(name: string): Promise<void> {
      await Promise.all([redis.hdel(keys.reports, name), redis.zrem(keys.reported, name)])
    }
  }
}

export type Reports = ReturnType<typeof createReports>
