// Goal: whoever sees Redis fill is told which part fills it, at a cost that does not depend on how much there is.
// Method: a real Redis with known content of several shapes. What a part really takes is what Redis uses less once it
// is deleted.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { createKeys } from '../../shared/keys.ts'
import { createFunctions } from '../../shared/redis/functions.ts'
import { weighMemory } from '../../shared/watching/memory.ts'
import type { MemoryParts } from '../../shared/watching/memory-parts.ts'
import { newPayments } from '../support/payments.ts'
import { infoNumber } from '../support/redis-info.ts'
import { startTestRedis } from '../support/redis.ts'
import { acceptAndTake, AT_DEFAULT } from '../support/taken.ts'

const BATCH = 500
const keys = createKeys()

const usedBytes = (redis: Redis) => infoNumber(redis, 'memory', 'used_memory')

/** Settles payments at so many a second, then queues some more, of which it takes some and buries one. */
async function fill(redis: Redis, settled: number, perSecond: number, queued: number): Promise<void> {
  const functions = createFunctions(redis, keys, 24)
  await functions.createGroup()
  const startMs = Date.UTC(2026, 0, 1)
  for (let done = 0; done < settled; done += BATCH) {
    const payments = await acceptAndTake(functions, newPayments(Math.min(BATCH, settled - done)))
    const timeMs = (index: number) => startMs + Math.floor(((done + index) / perSecond) * 1_000)
    const booked = payments.map((payment, index) => ({ ...payment, requestedAtMs: timeMs(index) }))
    await functions.settle('default', booked)
  }
  for (let done = 0; done < queued; done += BATCH)
    await functions.accept(newPayments(Math.min(BATCH, queued - done)), 1e8)
  for (let done = 0; done < queued / 4; done += BATCH) {
    const { payments } = await functions.take('worker', AT_DEFAULT, BATCH)
    const choice = { processor: 'fallback', requestedAtMs: startMs } as const
    const refused = payments[0] && (await functions.passOn(payments[0], 'worker', choice))
    if (refused) assert(await functions.bury(refused, 'status 400'))
  }
}

/** What each part really takes; it is gone afterwards. */
async function weighByDeleting(redis: Redis): Promise<MemoryParts> {
  const freedBy = async (match: string) => {
    const before = await usedBytes(redis)
    for await (const page of redis.scanStream({ match, count: 1_000 }))
      if ((page as string[]).length > 0) await redis.del(page as string[])
    return before - (await usedBytes(redis))
  }
  // The first walk makes buffers grow.
  await freedBy('nothing')
  const queueBytes = (await freedBy(keys.queue)) + (await freedBy(keys.inFlight)) + (await freedBy(keys.deadLetters))
  return { queueBytes, totalsBytes: await freedBy(keys.totalsPattern), idsBytes: await freedBy(keys.idsPattern) }
}

/** What is estimated as the rest is known to within this; see shared/watching/memory-parts.ts. */
const REST_BYTES = 1_000_000
/** What is measured at once differs by less. */
const NOISE_BYTES = 50_000

/** Within a quarter. */
function assertAbout(told: number, real: number, what: string, slack: number): void {
  assert(Math.abs(told - real) <= Math.max(real / 4, slack), `${what}: told ${told}, really ${real} bytes`)
}

describe('the parts of the memory', () => {
  for (const [name, settled, perSecond, queued] of [
    ['seconds of heavy traffic: few totals, and large', 100_000, 4_000, 2_000],
    ['hours of little traffic: many totals, and small', 20_000, 0.5, 2_000],
    ['a long queue', 5_000, 50, 60_000]
  ] as const) {
    it(`after ${name}`, async () => {
      const { redis } = await startTestRedis(['--stream-node-max-entries', '16'])
      await fill(redis, settled, perSecond, queued)
      const told = [await weighMemory(redis, keys), await weighMemory(redis, keys), await weighMemory(redis, keys)]
      const real = await weighByDeleting(redis)
      for (const parts of told) {
        assertAbout(parts.queueBytes, real.queueBytes, 'queue', NOISE_BYTES)
        assertAbout(parts.idsBytes, real.idsBytes, 'ids', NOISE_BYTES)
        assertAbout(parts.totalsBytes, real.totalsBytes, 'totals', REST_BYTES)
      }
    })
  }

  it('are exact where every key can be looked at', async () => {
    const { redis } = await startTestRedis()
    await fill(redis, 300, 1, 0)
    await redis.set('theirs', 'x'.repeat(100_000))
    const bytesOf = async (match: string) => {
      let bytes = 0
      for (const key of await redis.keys(match)) bytes += (await redis.memory('USAGE', key)) ?? 0
      return bytes
    }
    const { idsBytes, totalsBytes } = await weighMemory(redis, keys)
    assert((await redis.dbsize()) > 256 && idsBytes > 10_000 && totalsBytes > 10_000)
    assert.deepEqual([idsBytes, totalsBytes], [await bytesOf(keys.idsPattern), await bytesOf(keys.totalsPattern)])
  })

  it('are not confused by what others keep in the same Redis', async () => {
    const { redis } = await startTestRedis()
    await fill(redis, 20_000, 2_000, 0)
    for (let from = 0; from < 4_000; from += 1_000) {
      const names = Array.from({ length: 1_000 }, (_, index) => `theirs:${from + index}`)
      await redis.mset(names.flatMap(name => [name, 'x'.repeat(2_000)]))
    }
    const { queueBytes, idsBytes, totalsBytes } = await weighMemory(redis, keys)
    const real = await weighByDeleting(redis)
    assert(queueBytes < 10_000)
    assertAbout(idsBytes, real.idsBytes, 'ids', NOISE_BYTES)
    // The sample's error of some 8 MB is what they add.
    assert(Math.abs(totalsBytes - real.totalsBytes) < 3e6, `told ${totalsBytes}, really ${real.totalsBytes}`)
  })

  it('of an empty Redis are nothing, before any worker has made the queue', async () => {
    const { redis } = await startTestRedis()
    assert.deepEqual(await weighMemory(redis, keys), { queueBytes: 0, idsBytes: 0, totalsBytes: 0 })
  })

  it('cost as much with ten times as many keys', async () => {
    const { redis } = await startTestRedis()
    for (const [settled, perSecond] of [
      [2_000, 1],
      [20_000, 0.5]
    ] as const) {
      await fill(redis, settled, perSecond, 0)
      await redis.config('RESETSTAT')
      await weighMemory(redis, keys)
      const lookups = await infoNumber(redis, 'commandstats', 'cmdstat_memory|usage')
      assert(lookups <= 259, String(lookups))
    }
  })

  it('are there when Redis is full as well', async () => {
    const { redis } = await startTestRedis()
    await fill(redis, 2_000, 1, 100)
    await redis.config('SET', 'maxmemory', '1mb')
    assert((await weighMemory(redis, keys)).idsBytes > 100_000)
  })
})
