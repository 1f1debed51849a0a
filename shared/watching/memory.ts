import type { Redis } from 'ioredis'
import type { Keys } from '../keys.ts'
import { callFunction } from '../redis/library.ts'
import { named, text, wholeNumber } from '../redis/replies.ts'
import { memoryPartsOf, type MemoryParts } from './memory-parts.ts'

/** Keys that are looked at; all of them where there are not more than twice as many. */
const SAMPLE_COUNT = 256

/**
 * Tells which part fills Redis, in one call of less than a millisecond, however much there is. Throws what
 * `callFunction` throws.
 */
export async function weighMemory(redis: Redis, keys: Keys): Promise<MemoryParts> {
  const callKeys = [keys.queue, keys.inFlight, keys.deadLetters, keys.idPeriods, keys.idNodes]
  const args = [keys.totalsPattern.slice(0, -1), keys.prefix, SAMPLE_COUNT]
  const value = named(await callFunction(redis, 'weigh', callKeys, args))
  const totals = value('totals')
  return memoryPartsOf({
    queueBytes: wholeNumber(value('queue')),
    keyCount: wholeNumber(value('keys')),
    idsBytes: wholeNumber(value('ids')),
    totalsBytes: totals === '' ? null : wholeNumber(totals),
    othersBytes: wholeNumber(value('others')),
    datasetBytes: Number(/^used_memory_dataset:(\d+)/m.exec(text(value('info')))?.[1] ?? 0)
  })
}
