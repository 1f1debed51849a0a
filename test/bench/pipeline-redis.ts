// The Redis of a system that runs, as its services use it: to fill it faster than clients could, and to see what it
// holds.
import type { Redis } from 'ioredis'
import { createKeys, type Keys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { createFunctions, type Functions } from '../../shared/redis/functions.ts'

export type PipelineRedis = {
  redis: Redis
  keys: Keys
  functions: Functions
  /** Payments that are not settled yet. */
  queueLength: () => Promise<number>
  /** What Redis says of its memory and its log. */
  info: () => Promise<RedisInfo>
}

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

/** No call of a benchmark takes so long. */
const REPLY_TIMEOUT_MS = 120_000
const KEYS_AT_ONCE = 1_000

export async function openPipelineRedis(path: string): Promise<PipelineRedis> {
  const redis = await connectRedis(`unix:${path}`, 'bench', REPLY_TIMEOUT_MS, createLog('bench', 'silent'))
  const keys = createKeys()
  return {
    redis,
    keys,
    functions: createFunctions(redis, keys, 24),
    queueLength: () => redis.xlen(keys.queue),
    info: async () => parseInfo(`${await redis.info('memory')}${await redis.info('persistence')}`)
  }
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

/**
 * Calls back with the hashes of a pattern, some at a time. All are found before the first call, so the callback may
 * rename them.
 */
export async function forEachKey(
  { redis }: PipelineRedis,
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
export async function deleteHashes(
  pipeline: PipelineRedis,
  match: string
): Promise<{ fieldCount: number; bytes: number }> {
  const { redis, info } = pipeline
  const { usedBytes } = await info()
  let fieldCount = 0
  await forEachKey(pipeline, match, async found => {
    for (const length of await Promise.all(found.map(key => redis.hlen(key)))) fieldCount += length
    await redis.del(...found)
  })
  return { fieldCount, bytes: usedBytes - (await info()).usedBytes }
}
