import assert from 'node:assert/strict'
import type { Redis } from 'ioredis'
import type { Keys } from '../keys.ts'
import { callFunction } from './library.ts'
import { memoryPartsOf, type MemoryParts, type WeighedKeys } from './memory-parts.ts'

/** Keys that are looked at; all of them where there are not more than twice as many. */
const SAMPLE_COUNT = 256

/** Tells which part fills Redis, in one call of less than 1 ms, however much there is. Throws what `callFunction` throws. */
export async function weighMemory(redis: Redis, keys: Keys): Promise<MemoryParts> {
  const beginnings = [keys.idsPattern, keys.totalsPattern].map(pattern => pattern.slice(0, -1))
  const reply = await callFunction(redis, 'weigh', [keys.queue, keys.inFlight, keys.deadLetters], [...beginnings, SAMPLE_COUNT])
  assert(Array.isArray(reply) && reply.length === 7, 'expected seven things from weigh')
  const [queueBytes, keyCount, lookedAt, ids, totals, others, [info]] = reply as
    [number, number, string, WeighedReply, WeighedReply, WeighedReply, [string]]
  return memoryPartsOf({
    queueBytes, keyCount, sampleCount: lookedAt === 'all' ? null : Number(lookedAt),
    ids: weighedKeys(ids), totals: weighedKeys(totals), others: weighedKeys(others),
    datasetBytes: Number(/^used_memory_dataset:(\d+)/m.exec(info)?.[1] ?? 0)
  })
}

type WeighedReply = [count: number, bytes: number, squares: string]

function weighedKeys([count, bytes, squares]: WeighedReply): WeighedKeys {
  return { count, bytes, squares: Number(squares) }
}
