// What the Redis of a system that runs holds and takes.
import type { Redis } from 'ioredis'
import type { Meter } from './meter.ts'

export type RedisInfo = {
  /** Allocated for everything it holds. */
  usedBytes: number
  isRewriting: boolean
  /** Rewrites of the log since Redis began. */
  rewriteCount: number
  /** Pages that the rewrite under way has made Redis copy; 0 without one. */
  copiedBytes: number
  /** The append-only log's size. */
  logBytes: number
}

/** The most over some time, what a fork for the rewrite of the log copies included. */
export type RedisPeak = {
  usedBytes: number
  /** Pages of the process, and those that a rewrite had made it copy at that moment. */
  residentBytes: number
  /** Of that, at most copied. */
  copiedBytes: number
  /** Rewrites that began. */
  rewriteCount: number
}

const SAMPLE_EVERY_MS = 250
const KEYS_AT_ONCE = 1_000

export async function redisInfo(redis: Redis): Promise<RedisInfo> {
  return parseInfo(`${await redis.info('memory')}${await redis.info('persistence')}`)
}

/** @param text what INFO says of memory and persistence */
export function parseInfo(text: string): RedisInfo {
  const value = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1] ?? 0)
  return {
    usedBytes: value('used_memory'),
    // A rewrite that waits for its turn is one as well.
    isRewriting: value('aof_rewrite_in_progress') + value('aof_rewrite_scheduled') > 0,
    rewriteCount: value('aof_rewrites'),
    copiedBytes: value('current_cow_size'),
    logBytes: value('aof_current_size')
  }
}

/** @returns ends the watch and tells what it saw */
export async function watchRedisPeak(redis: Redis, meter: Meter): Promise<() => Promise<RedisPeak>> {
  const peak: RedisPeak = { usedBytes: 0, residentBytes: 0, copiedBytes: 0, rewriteCount: 0 }
  const first = await redisInfo(redis)
  const sample = async () => {
    const { usedBytes, copiedBytes, rewriteCount } = await redisInfo(redis)
    peak.usedBytes = Math.max(peak.usedBytes, usedBytes)
    peak.residentBytes = Math.max(peak.residentBytes, meter.memoryBytes() + copiedBytes)
    peak.copiedBytes = Math.max(peak.copiedBytes, copiedBytes)
    peak.rewriteCount = rewriteCount - first.rewriteCount
  }
  // Whatever makes a sample fail ends the measurement in another place.
  const timer = setInterval(() => {
    sample().catch(() => undefined)
  }, SAMPLE_EVERY_MS)
  return async () => {
    clearInterval(timer)
    await sample()
    return peak
  }
}

/**
 * Calls back with the keys of a pattern, some at a time. All are found before the first call, so the callback may
 * rename them.
 */
export async function forEachKey(
  redis: Redis,
  match: string,
  work: (found: string[]) => Promise<unknown>
): Promise<void> {
  const found = new Set<string>()
  for await (const page of redis.scanStream({ match, count: KEYS_AT_ONCE }))
    for (const key of page as string[]) found.add(key)
  const all = [...found]
  for (let at = 0; at < all.length; at += KEYS_AT_ONCE) await work(all.slice(at, at + KEYS_AT_ONCE))
}

/** Deletes all hashes of a pattern: how many fields they had, and by how much Redis's used memory shrank. */
export async function deleteHashes(redis: Redis, match: string): Promise<{ fieldCount: number; bytes: number }> {
  const { usedBytes } = await redisInfo(redis)
  let fieldCount = 0
  await forEachKey(redis, match, async found => {
    for (const length of await Promise.all(found.map(key => redis.hlen(key)))) fieldCount += length
    await redis.del(...found)
  })
  return { fieldCount, bytes: usedBytes - (await redisInfo(redis)).usedBytes }
}
