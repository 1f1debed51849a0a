// Goal: what a sample of Redis's keys says of ids and totals is right where the sample can know it, and where it can't, what remains of
// the whole says more; and Redis is weighed seldom, however often somebody asks.
// Method: Redis with known keys, as numbers; a clock in the hands of the test.
import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { weighedSeldom } from '../../gateway/status/memory.ts'
import { memoryPartsOf, type Weighed, type WeighedKeys } from '../../shared/redis/memory-parts.ts'

const NONE: WeighedKeys = { count: 0, bytes: 0, squares: 0 }
const keysOf = (count: number, bytesEach: number): WeighedKeys => ({ count, bytes: count * bytesEach, squares: count * bytesEach ** 2 })
const MB = 1_000_000

function parts(changes: Partial<Weighed>) {
  return memoryPartsOf({ queueBytes: 0, keyCount: 4_096, sampleCount: 256, ids: NONE, totals: NONE, others: NONE, datasetBytes: 0, ...changes })
}
const near = (told: number, wanted: number) => { assert(Math.abs(told - wanted) < MB, `${told}, not about ${wanted}`) }

describe('ids and totals', () => {
  it('are what was weighed, where all keys were', () => {
    assert.deepEqual(parts({ sampleCount: null, queueBytes: 5, ids: keysOf(3, 100), totals: keysOf(2, 50), datasetBytes: 9 * MB }),
      { queueBytes: 5, idsBytes: 300, totalsBytes: 100 })
  })

  it('are told apart by ids, where few and large hashes of totals were not hit at all', () => {
    const { idsBytes, totalsBytes } = parts({ keyCount: 4_120, ids: keysOf(256, 10_000), datasetBytes: 100 * MB })
    near(idsBytes, 41 * MB)
    near(totalsBytes, 59 * MB)
  })

  it('are told apart by ids as well, where two of the large hashes were hit, as if they were many', () => {
    const { idsBytes, totalsBytes } = parts({ keyCount: 4_120, ids: keysOf(254, 10_000), totals: keysOf(2, 2 * MB), datasetBytes: 100 * MB })
    near(idsBytes, 41 * MB)
    near(totalsBytes, 59 * MB)
  })

  it('are told apart by totals, where these are nearly all of the keys', () => {
    const { idsBytes, totalsBytes } = parts({ keyCount: 100_000, ids: keysOf(20, 5_000), totals: keysOf(236, 400), datasetBytes: 60 * MB })
    near(totalsBytes, 37 * MB)
    near(idsBytes, 60 * MB + 4 * MB - 37 * MB)
  })

  it('are not what others keep in the same Redis', () => {
    const { idsBytes, totalsBytes } = parts({ keyCount: 8_192, ids: keysOf(128, 10_000), others: keysOf(128, 20_000), datasetBytes: 130 * MB })
    near(idsBytes, 41 * MB)
    near(totalsBytes, 130 * MB - 41 * MB - 82 * MB)
    // Where others have nearly everything, what remains is theirs too, so the sample has to do.
    assert.deepEqual(parts({ keyCount: 256_000, ids: keysOf(2, 1_000), others: keysOf(254, 100), datasetBytes: 900 * MB }),
      { queueBytes: 0, idsBytes: 2_000_000, totalsBytes: 0 })
  })

  it('are never more than there is, nor less than nothing', () => {
    assert.deepEqual(parts({ queueBytes: 9 * MB, ids: keysOf(256, 10_000), datasetBytes: 8 * MB }), { queueBytes: 9 * MB, idsBytes: 0, totalsBytes: 0 })
  })
})

test('Redis is weighed every ten seconds at most, and what was known stays where it can not be', async () => {
  const world = { nowMs: 0, count: 0, weigh: () => Promise.resolve({ queueBytes: world.count, idsBytes: 0, totalsBytes: 0 }) }
  const read = weighedSeldom(() => {
    world.count += 1
    return world.weigh()
  }, () => world.nowMs)
  const queueBytes = async () => (await read())?.queueBytes
  for (; world.nowMs < 25_000; world.nowMs += 500) await read()
  assert.equal(world.count, 3)
  assert.equal(await queueBytes(), 3)

  world.weigh = () => Promise.reject(new Error('away'))
  world.nowMs = 40_000
  assert.equal(await queueBytes(), 3)
  world.nowMs = 49_000
  assert.equal(await queueBytes(), 3)
  assert.equal(world.count, 4)
  const never = weighedSeldom(() => Promise.reject(new Error('away')), () => 0)
  assert.deepEqual([await never(), await never()], [null, null])
})
