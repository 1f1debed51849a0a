// Goal: however often the status is asked for, Redis is read twice a second; and an answer comes soon, whatever Redis
// does. Method: a Redis in the hands of the test, and a clock of its own; only the patience with a silent Redis is real
// time.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createStatusSource } from '../../gateway/watching/status/source.ts'
import type { Reading } from '../../gateway/watching/status/figures.ts'

const READING: Reading = {
  observation: {
    atMs: Date.parse('2026-11-21T12:00:00.000Z'),
    unsettledCount: 3,
    inFlightCount: 3,
    deadLetterCount: 0,
    oldestAcceptedAtMs: null,
    oldestWaitingAcceptedAtMs: null,
    preferred: 'default',
    health: { default: null, fallback: null },
    hasMonitor: true,
    workers: [],
    reports: [],
    audit: null,
    redis: {
      usedBytes: 1,
      maxBytes: null,
      keepsLog: true,
      canWriteLog: true,
      canRewriteLog: true,
      evictionPolicy: 'noeviction'
    },
    totalsExactSince: null
  },
  totals: { default: { requests: 0n, cents: 0n }, fallback: { requests: 0n, cents: 0n } },
  memory: null
}

async function startSource() {
  const world = { nowMs: 10_000, readCount: 0, answeredAtMs: 0, redis: () => Promise.resolve(READING) }
  const source = await createStatusSource({
    answeredBy: 'gateway-1',
    fees: { default: 50_000n, fallback: 150_000n },
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
  world.nowMs += 60_000
  world.answeredAtMs = world.nowMs - 4_000
  world.redis = () => Promise.reject(new Error('Connection is closed.'))
  const { status } = await source.read()
  assert.equal(status.isCurrent, false)
  assert.equal(status.queue.inFlight, 3)
  assert.equal(status.problems.length, 1)
  assert.match(status.problems[0] ?? '', /^Redis does not answer \(no connection\), for 4\.0 s since /)

  world.nowMs += 1_000
  world.redis = () => new Promise(() => undefined)
  const all = await Promise.all([source.read(), source.read(), source.read()])
  for (const { status: silent } of all) assert.match(silent.problems[0] ?? '', /\(nothing within 1 s\), for 5\.0 s/)
  assert.equal(world.readCount, 3)

  world.nowMs += 1_000
  world.redis = () =>
    Promise.reject(Object.assign(new Error('LOADING Redis is loading the dataset in memory'), { name: 'ReplyError' }))
  assert.match((await source.read()).status.problems[0] ?? '', /\(LOADING Redis is loading the dataset in memory\)/)

  world.nowMs += 1_000
  world.redis = () => Promise.resolve(READING)
  assert.equal((await source.read()).status.isCurrent, true)
})

test('without a first reading there is no source', async () => {
  await assert.rejects(
    createStatusSource({
      answeredBy: 'gateway-1',
      fees: { default: 0n, fallback: 0n },
      readRedis: () => Promise.reject(new Error('away')),
      redisAnsweredAtMs: () => 0,
      nowMs: () => 0
    }),
    /away/
  )
})
