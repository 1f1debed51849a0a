// Goal: what the processes tell about themselves can be read by anybody, costs the log nothing, and the dead disappear;
// and one call reads the state of the whole system, exactly.
// Method: a real Redis with its append-only log, states made by the pipeline's own functions.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReports } from '../../shared/watching/reports.ts'
import { observe } from '../../shared/watching/observe.ts'
import { renderAuditResult, type AuditResult } from '../../shared/watching/audit-result.ts'
import { renderReport } from '../../shared/watching/report.ts'
import { MONITOR } from '../support/healthy-system.ts'
import { newPayments, required } from '../support/payments.ts'
import { infoNumber } from '../support/redis-info.ts'
import { startTestRedis } from '../support/redis.ts'

// always: with everysec Redis puts off writing while a sync is under way, and then the log grows later than what made
// it grow.
const { redis, isolate } = await startTestRedis('--appendonly yes --appendfsync always --maxmemory 64mb'.split(' '))
const REPORT = renderReport(MONITOR)

test('a report stands in Redis until its process takes it back', async () => {
  const { keys } = await isolate()
  const reports = createReports(redis, keys)
  await reports.send('monitor-1-a', REPORT)
  const { reports: received, atMs } = await observe(redis, keys)
  const { seenAtMs } = required(received[0])
  assert(seenAtMs <= atMs && seenAtMs > atMs - 10_000)
  assert.deepEqual(received, [{ name: 'monitor-1-a', seenAtMs, report: { version: 1, ...MONITOR } }])
  await reports.withdraw('monitor-1-a')
  assert.deepEqual((await observe(redis, keys)).reports, [])
  assert.equal(await redis.exists(keys.reports, keys.reported), 0)
})

test('who has been silent for five minutes is forgotten by the next report of anybody', async () => {
  const { keys } = await isolate()
  const reports = createReports(redis, keys)
  for (const name of ['dead', 'silent', 'alive']) await reports.send(name, REPORT)
  const { atMs } = await observe(redis, keys)
  await redis.zadd(keys.reported, atMs - 400_000, 'dead', atMs - 200_000, 'silent')
  await reports.send('alive', REPORT)
  assert.deepEqual((await observe(redis, keys)).reports.map(({ name }) => name).sort(), ['alive', 'silent'])
  assert.deepEqual((await redis.hkeys(keys.reports)).sort(), ['alive', 'silent'])
})

test('reports leave no trace in the append-only log', async () => {
  const { keys } = await isolate()
  const sizeOfLog = () => infoNumber(redis, 'persistence', 'aof_current_size')
  const before = await sizeOfLog()
  for (let times = 0; times < 20; times++) await createReports(redis, keys).send('monitor-1-a', REPORT)
  assert.equal(await sizeOfLog(), before)
  assert.equal((await observe(redis, keys)).reports.length, 1)
})

test('a report of another version, or none at all, is left out', async () => {
  const { keys } = await isolate()
  const reports = createReports(redis, keys)
  await reports.send('other', JSON.stringify({ ...MONITOR, version: 2 }))
  await reports.send('none', 'not even JSON')
  assert.deepEqual((await observe(redis, keys)).reports, [])
})

test('observe tells what waits, what is in flight and how old they are', async () => {
  const { keys, functions } = await isolate()
  const seen = async () => {
    const { unsettledCount, inFlightCount, oldestAcceptedAtMs, oldestWaitingAcceptedAtMs } = await observe(redis, keys)
    return [unsettledCount, inFlightCount, oldestAcceptedAtMs, oldestWaitingAcceptedAtMs]
  }
  const empty = await observe(redis, keys)
  assert.deepEqual(await seen(), [0, 0, null, null])
  assert.deepEqual([empty.preferred, empty.hasMonitor, empty.health], [null, false, { default: null, fallback: null }])
  assert.equal(empty.redis.maxBytes, 64 * 1_048_576)
  assert(empty.redis.usedBytes > 500_000 && empty.redis.canWriteLog)

  await functions.accept(newPayments(5), 100)
  const acceptedAtMs = (await redis.xrange(keys.queue, '-', '+')).map(([id]) => Number(id.split('-')[0]))
  await functions.beat('worker-1-a', 2_000)
  const { payments } = await functions.take('worker-1-a', { processor: 'default', requestedAtMs: Date.now() }, 3)
  assert.deepEqual(await seen(), [5, 3, acceptedAtMs[0], acceptedAtMs[3]])
  const { workers, atMs } = await observe(redis, keys)
  const seenAtMs = workers[0]?.seenAtMs ?? 0
  assert.deepEqual(workers, [{ name: 'worker-1-a', seenAtMs, pendingCount: 3 }])
  assert(atMs - seenAtMs < 10_000)

  await functions.release(payments.slice(1, 2))
  assert.deepEqual(await seen(), [5, 2, acceptedAtMs[0], acceptedAtMs[1]])
  assert.equal((await observe(redis, keys)).workers.length, 1, 'payments that are held are not a worker')

  const choice = { processor: 'fallback', requestedAtMs: Date.now() } as const
  const last = await functions.passOn(required(payments[0]), 'worker-1-a', choice)
  await functions.bury(required(last), 'status 400')
  assert.equal((await observe(redis, keys)).deadLetterCount, 1)
})

test('observe tells what the last audit found', async () => {
  const { keys } = await isolate()
  assert.equal((await observe(redis, keys)).audit, null)
  const plain: AuditResult = {
    atMs: 1_700_000_000_123,
    kind: 'plain',
    untilMs: 1_700_000_000_000,
    differences: { default: { payments: 0n, cents: -1n }, fallback: { payments: 0n, cents: 0n } },
    differingPayments: null,
    notCompared: { payments: 0, oldestSentAtMs: null },
    oneByOne: null
  }
  const deep: AuditResult = {
    atMs: 1_700_000_100_123,
    kind: 'deep',
    untilMs: 1_700_000_100_000,
    differences: { default: { payments: -(2n ** 60n), cents: 5n }, fallback: { payments: 1n, cents: 0n } },
    differingPayments: 3,
    notCompared: { payments: 2, oldestSentAtMs: 1_700_000_000_000 },
    oneByOne: { compared: 40, of: 60 }
  }
  for (const result of [plain, deep]) {
    await redis.hset(keys.audit, renderAuditResult(result))
    assert.deepEqual((await observe(redis, keys)).audit, result)
  }
  // As an older version left it.
  await redis.hdel(keys.audit, 'not-compared', 'not-compared-since', 'one-by-one', 'one-by-one-of')
  assert.deepEqual((await observe(redis, keys)).audit, { ...deep, notCompared: null, oneByOne: null })
})

test('observe works before any worker has made the queue', async () => {
  const { keys, functions } = await isolate()
  await redis.del(keys.queue)
  assert.equal((await observe(redis, keys)).unsettledCount, 0)
  await functions.accept(newPayments(2), 100)
  const { unsettledCount, oldestWaitingAcceptedAtMs, oldestAcceptedAtMs } = await observe(redis, keys)
  assert.equal(unsettledCount, 2)
  assert.equal(oldestWaitingAcceptedAtMs, oldestAcceptedAtMs)
})
