// Goal: however often the status is asked for, Redis is read twice a second; and an answer comes soon, whatever Redis
// does.
// Method: a Redis in the hands of the test, and a clock of its own; only the patience with a silent Redis is real time.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createStatusSource } from '../../gateway/watching/status/source.ts'
import { FEES, reading } from '../support/healthy-system.ts'

const READING = reading()

async function startSource() {
  const world = { nowMs: 10_000, readCount: 0, answeredAtMs: 0, redis: () => Promise.resolve(READING) }
  const source = await createStatusSource({
    answeredBy: 'gateway-1',
    fees: FEES,
    readRedis: () => {
      world.readCount += 1
      return world.redis()
    },
    redisAnsweredAtMs: () => world.answeredAtMs,
    nowMs: () => world.nowMs
  })
  return { world, source }
}

test('a thousand questions are one reading every half second', async () => {
  const { world, source } = await startSource()
  for (let step = 0; step < 10; step++) {
    world.nowMs += 100
    await Promise.all(Array.from({ length: 100 }, source.read))
  }
  assert.equal(world.readCount, 1 + 2)
  const { status, body } = await source.read()
  assert.equal(status.queue.inFlight, 3)
  assert.equal((JSON.parse(body) as { answeredBy: string }).answeredBy, 'gateway-1')
})

test('a Redis that is away, or says nothing, is a status as well, with the last figures and since when', async () => {
  const { world, source } = await startSource()
  const problem = async () => (await source.read()).status.problems[0] ?? ''
  world.nowMs += 60_000
  world.answeredAtMs = world.nowMs - 4_000
  world.redis = () => Promise.reject(new Error('Connection is closed.'))
  const { status } = await source.read()
  assert.deepEqual([status.isCurrent, status.queue.inFlight, status.problems.length], [false, 3, 1])
  assert.match(await problem(), /^Redis has not answered \(no connection\) for 4\.0 s, since /)

  world.nowMs += 1_000
  world.redis = () => new Promise(() => undefined)
  for (const sentence of await Promise.all([problem(), problem(), problem()]))
    assert.match(sentence, /\(nothing within 1 s\) for 5\.0 s/)
  assert.equal(world.readCount, 3)

  world.nowMs += 1_000
  const loading = Object.assign(new Error('LOADING Redis is loading the dataset in memory'), { name: 'ReplyError' })
  world.redis = () => Promise.reject(loading)
  assert.match(await problem(), /\(LOADING Redis is loading the dataset in memory\)/)

  world.nowMs += 1_000
  world.redis = () => Promise.resolve(READING)
  assert.equal((await source.read()).status.isCurrent, true)
})

test('without a first reading there is no source', async () => {
  const options = { answeredBy: 'gateway-1', fees: FEES, redisAnsweredAtMs: () => 0, nowMs: () => 0 }
  await assert.rejects(createStatusSource({ ...options, readRedis: () => Promise.reject(new Error('away')) }), /away/)
})
