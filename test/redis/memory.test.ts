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
import { newPayments, required } from '../support/payments.ts'
import { startTestRedis } from '../support/redis.ts'

const BATCH = 500
const keys = createKeys()

async function usedBytes(redis: Redis): Promise<number> {
  return Number(required(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]))
}

/** Settles payments at so many a second, then queues some more, of which it takes some and buries one. */
async function fill(
  redis: Redis,
  { settled, perSecond, queued }: { settled: number; perSecond: number; queued: number }
): Promise<void> {
  const functions = createFunctions(redis, keys, 24)
  await functions.createGroup()
  const startMs = Date.UTC(2026, 0, 1)
  for (let done = 0; done < settled; done += BATCH) {
    await functions.accept(newPayments(Math.min(BATCH, settled - done)), 1e8)
    const { payments } = await functions.take('worker', { processor: 'default', requestedAtMs: startMs }, BATCH)
    await functions.settle(
      'default',
      payments.map((payment, index) => ({
        ...payment,
        requestedAtMs: startMs + Math.floor(((done + index) / perSecond) * 1_000)
      }))
    )
  }
  for (let done = 0; done < queued; done += BATCH)
    await functions.accept(newPayments(Math.min(BATCH, queued - done)), 1e8)
  for (let done = 0; done < queued / 4; done += BATCH) {
    const { payments } = await functions.take('worker', { processor: 'default', requestedAtMs: startMs }, BATCH)
    const refused =
      payments[0] && (await functions.passOn(payments[0], 'worker', { processor: 'fallback', requestedAtMs: startMs }))
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
  const cases = [
    { name: 'seconds of heavy traffic: few totals, and large', settled: 100_000, perSecond: 4_000, queued: 2_000 },
    { name: 'hours of little traffic: many totals, and small', settled: 20_000, perSecond: 0.5, queued: 2_000 },
    { name: 'a long queue', settled: 5_000, perSecond: 50, queued: 60_000 }
  ]
  for (const { name, ...content } of cases) {
    it(`after ${name}`, async () => {
      const { redis } = await startTestRedis(['--stream-node-max-entries', '16'])
      await fill(redis, content)
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
    await fill(redis, { settled: 300, perSecond: 1, queued: 0 })
    await redis.set('theirs', 'x'.repeat(100_000))
    const bytesOf = async (match: string) => {
      const sizes = await Promise.all(
        (await redis.keys(match)).map(async key => (await redis.memory('USAGE', key)) ?? 0)
      )
      return sizes.reduce((sum, size) => sum + size, 0)
    }
    const { idsBytes, totalsBytes } = await weighMemory(redis, keys)
    assert((await redis.dbsize()) > 256 && idsBytes > 10_000 && totalsBytes > 10_000)
    assert.deepEqual(
      { idsBytes, totalsBytes },
      { idsBytes: await bytesOf(keys.idsPattern), totalsBytes: await bytesOf(keys.totalsPattern) }
    )
  })

  it('are not confused by what others keep in the same Redis', async () => {
    const { redis } = await startTestRedis()
    await fill(redis, { settled: 20_000, perSecond: 2_000, queued: 0 })
    for (let from = 0; from < 4_000; from += 1_000) {
      await redis.mset(
        Array.from({ length: 1_000 }, (_, index) => [`theirs:${from + index}`, 'x'.repeat(2_000)]).flat()
      )
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
    const lookups = async () => {
      await redis.config('RESETSTAT')
      await weighMemory(redis, keys)
      return Number(required(/^cmdstat_memory\|usage:calls=(\d+)/m.exec(await redis.info('commandstats'))?.[1]))
    }
    await fill(redis, { settled: 2_000, perSecond: 1, queued: 0 })
    const few = await lookups()
    await fill(redis, { settled: 20_000, perSecond: 0.5, queued: 0 })
    const many = await lookups()
    assert(few <= 259 && many <= 259, `${few} and ${many}`)
  })

  it('are told by a Redis that is full as well', async () => {
    const { redis } = await startTestRedis()
    await fill(redis, { settled: 2_000, perSecond: 1, queued: 100 })
    await redis.config('SET', 'maxmemory', '1mb')
    assert((await weighMemory(redis, keys)).idsBytes > 100_000)
  })
})
