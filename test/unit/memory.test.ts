// Goal: the parts of Redis's memory add up to what it has, and Redis is weighed seldom, however often somebody asks.
// Method: Redis with known keys, as numbers; a clock in the hands of the test.
import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { weighedSeldom } from '../../gateway/watching/status/memory.ts'
import { memoryPartsOf, type Weighed } from '../../shared/watching/memory-parts.ts'

const MB = 1_000_000

const parts = (changes: Partial<Weighed>) =>
  memoryPartsOf({
    queueBytes: 0,
    keyCount: 4_096,
    idsBytes: 0,
    totalsBytes: null,
    othersBytes: 0,
    datasetBytes: 0,
    ...changes
  })

describe('the totals', () => {
  it('are what was weighed, where all keys were', () => {
    const weighed = { queueBytes: 5, idsBytes: 300, totalsBytes: 100 }
    assert.deepEqual(parts({ ...weighed, datasetBytes: 9 * MB }), weighed)
  })

  it('are else what remains, without what others keep in the same Redis and what Redis has for itself', () => {
    const known = { keyCount: 10_000, queueBytes: 3 * MB, idsBytes: 41 * MB, othersBytes: 20 * MB }
    assert(Math.abs(parts({ ...known, datasetBytes: 100 * MB }).totalsBytes - 36 * MB) < MB)
  })

  it('are never less than nothing', () => {
    const known = { queueBytes: 9 * MB, idsBytes: MB }
    assert.deepEqual(parts({ ...known, datasetBytes: 8 * MB }), { ...known, totalsBytes: 0 })
  })
})

test('Redis is weighed every ten seconds at most, and what was known stays where it cannot be', async () => {
  const world = {
    nowMs: 0,
    count: 0,
    weigh: () => Promise.resolve({ queueBytes: world.count, idsBytes: 0, totalsBytes: 0 })
  }
  const read = weighedSeldom(
    () => {
      world.count += 1
      return world.weigh()
    },
    () => world.nowMs
  )
  const queueBytes = async () => (await read())?.queueBytes
  for (; world.nowMs < 25_000; world.nowMs += 500) await read()
  assert.deepEqual([world.count, await queueBytes()], [3, 3])

  world.weigh = () => Promise.reject(new Error('away'))
  for (world.nowMs = 40_000; world.nowMs < 50_000; world.nowMs += 9_000) assert.equal(await queueBytes(), 3)
  assert.equal(world.count, 4)
  const never = weighedSeldom(world.weigh, () => 0)
  assert.deepEqual([await never(), await never()], [null, null])
})
