import assert from 'node:assert/strict'
import type { Redis } from 'ioredis'
import type { Keys } from '../keys.ts'
import { callFunction } from '../redis/library.ts'
import { memoryPartsOf, type MemoryParts } from './memory-parts.ts'

/** Keys that are looked at; all of them where there are not more than twice as many. */
const SAMPLE_COUNT = 256

/**
 * Tells which part fills Redis, in one call of less than a millisecond, however much there is. Throws what
 * `callFunction` throws.
 */
export async function weighMemory(redis: Redis, keys: Keys): Promise<MemoryParts> {
  const callKeys = [keys.queue, keys.inFlight, keys.deadLetters, keys.idPeriods, keys.idNodes]
  const reply = await callFunction(redis, 'weigh', callKeys, [
    keys.totalsPattern.slice(0, -1),
    keys.prefix,
    SAMPLE_COUNT
  ])
  assert(Array.isArray(reply) && reply.length === 6, 'expected six things from weigh')
  const [queueBytes, keyCount, idsBytes, totalsBytes, othersBytes, [info]] = reply as [
    number,
    number,
    number,
    number | '',
    number,
    [string]
  ]
  return memoryPartsOf({
    queueBytes,
    keyCount,
    idsBytes,
    totalsBytes: totalsBytes === '' ? null : totalsBytes,
    othersBytes,
    datasetBytes: Number(/^used_memory_dataset:(\d+)/m.exec(info)?.[1] ?? 0)
  })
}
