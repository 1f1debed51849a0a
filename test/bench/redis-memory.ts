// What Redis's memory goes into: a payment that is queued, remembered by its id, and counted in the totals; ids at
// rates up to 1,000 a second; and ten million payments a day for a year.
//
//   node test/bench/redis-memory.ts [payments [rates]]      e.g. 3000000 5000
//
// Method: a real redis-server with the project's settings; used_memory before and after each stage. Totals are settled
// at a steady rate per second, because that decides how full their nodes are. The ids of a day at a high rate are
// measured by a part of them, those that end alike: their nodes are as full as those of all. Of the year, the levels
// that are kept for ever are written as settling would have left them; what is kept for a day is added from the other
// tables.
import { resolve } from 'node:path'
import type { Redis } from 'ioredis'
import { createKeys, MEASURES, type Keys } from '../../shared/keys.ts'
import { PROCESSOR_NAMES } from '../../shared/payment.ts'
import { createFunctions, type Functions } from '../../shared/redis/functions.ts'
import { loadLibrary } from '../../shared/redis/library.ts'
import { renderTable } from '../../shared/table.ts'
import { cellsOf, isFine } from '../../shared/totals.ts'
import { createOwner } from '../support/owner.ts'
import { cents, newPayments } from '../support/payments.ts'
import { startRedis } from '../support/redis.ts'
import { deleteHashes, redisInfo } from './redis-figures.ts'

// A day's share of 10 million payments in 30 days.
const paymentCount = Number(process.argv[2] ?? 333_333)
/** 116 a second are 10 million a day. */
const RATES_PER_SECOND = (process.argv[3] ?? '4,50,116,500,5000').split(',').map(Number)
const BATCH = 250
const DAY_SECONDS = 86_400
const YEAR_PAYMENTS_A_DAY = 10_000_000

type Bench = { redis: Redis; keys: Keys; functions: Functions; usedBytes: () => Promise<number> }

const rows: string[][] = []
for (const ratePerSecond of RATES_PER_SECOND) rows.push(await withRedis(bench => measurePayments(bench, ratePerSecond)))
console.log(`${paymentCount} payments; bytes of Redis memory a payment`)
console.log(renderTable(['settled at', 'queue alone', 'queued with its id', 'id once settled', 'totals'], rows))

const idRows: string[][] = []
for (const ratePerSecond of [1, 4, 10, 30, 100, 300, 1_000])
  idRows.push(await withRedis(bench => measureIds(bench, ratePerSecond)))
console.log('\nthe ids of a period of 24 h, once settled')
console.log(renderTable(['accepted at', 'ids', 'of them measured', 'bytes an id'], idRows))

console.log(`\n${await withRedis(measureYear)}`)

/** A Redis of its own: what an earlier run freed must not stand in the figures. */
async function withRedis<T>(measure: (bench: Bench) => Promise<T>): Promise<T> {
  const owner = createOwner()
  try {
    const { redis } = await startRedis(owner.own, [resolve('compose/redis.conf'), '--appendonly', 'no'])
    const keys = createKeys()
    const functions = createFunctions(redis, keys, 24)
    await loadLibrary(redis)
    await functions.createGroup()
    return await measure({ redis, keys, functions, usedBytes: async () => (await redisInfo(redis)).usedBytes })
  } finally {
    await owner.release()
  }
}

async function measurePayments(bench: Bench, ratePerSecond: number): Promise<string[]> {
  const { redis, keys, functions, usedBytes } = bench
  const empty = await usedBytes()
  await acceptAll(functions, paymentCount)
  const queued = await usedBytes()
  const queueAlone = (await redis.memory('USAGE', keys.queue, 'SAMPLES', 0)) ?? 0
  const startMs = Date.UTC(2026, 0, 1)
  await settleAll(functions, paymentCount, index => startMs + Math.floor((index / ratePerSecond) * 1_000))
  const settled = await usedBytes()
  await deleteHashes(redis, keys.totalsPattern)
  const idsOnly = await usedBytes()
  return [
    `${ratePerSecond}/s`,
    ...[queueAlone, queued - empty, idsOnly - empty, settled - idsOnly].map(bytes => (bytes / paymentCount).toFixed(1))
  ]
}

async function measureIds({ redis, functions, keys }: Bench, ratePerSecond: number): Promise<string[]> {
  const idCount = ratePerSecond * DAY_SECONDS
  // Each digit that all ids have at their end leaves a sixteenth of them.
  const alike = [0, 1, 2].find(digits => idCount / 16 ** digits <= 350_000) ?? 2
  const count = Math.round(idCount / 16 ** alike)
  const ending = '0'.repeat(alike)
  await acceptAll(functions, count, ending)
  await settleAll(functions, count, () => Date.UTC(2026, 0, 1))
  const { bytes } = await deleteHashes(redis, keys.idsPattern)
  return [`${ratePerSecond}/s`, String(idCount), String(count), (bytes / count).toFixed(1)]
}

async function measureYear({ redis, keys, usedBytes }: Bench): Promise<string> {
  const [startMs, minuteCount] = [Date.UTC(2025, 0, 1), 365 * 1_440]
  const empty = await usedBytes()
  // One in twenty at fallback, so that both have something in each minute.
  for (const [processor, share] of [
    ['default', 0.95],
    ['fallback', 0.05]
  ] as const) {
    const nodes = new Map<string, Map<number, number>>()
    for (let minute = 0; minute < minuteCount; minute++) {
      const requests = Math.round((YEAR_PAYMENTS_A_DAY / 1_440) * share * (0.5 + Math.random()))
      for (const { window, field } of cellsOf(startMs + minute * 60_000)) {
        if (isFine(window)) continue
        const node = nodes.get(window) ?? new Map<number, number>()
        nodes.set(window, node)
        node.set(field, (node.get(field) ?? 0) + requests)
      }
    }
    for (const measure of MEASURES) {
      for (const [window, fields] of nodes) {
        const values = [...fields].flatMap(([field, requests]) => [field, requests * (measure === 'cents' ? 4_990 : 1)])
        await redis.hset(keys.totals(processor, measure, window), ...values)
      }
    }
  }
  const megabytes = ((await usedBytes()) - empty) / 1_048_576
  return `${YEAR_PAYMENTS_A_DAY} payments a day for a year: the totals that are kept for ever take ${megabytes.toFixed(1)} MB for ${PROCESSOR_NAMES.length} processors`
}

async function acceptAll(functions: Functions, count: number, ending = ''): Promise<void> {
  for (let done = 0; done < count; done += BATCH) {
    const payments = newPayments(Math.min(BATCH, count - done))
    await functions.accept(
      payments.map(({ correlationId }, index) => ({
        correlationId: correlationId.slice(0, 36 - ending.length) + ending,
        // Amounts up to 999.99, as people pay.
        cents: cents(1 + (((done + index) * 7_919) % 99_999))
      })),
      count
    )
  }
}

async function settleAll(functions: Functions, count: number, timeOf: (index: number) => number): Promise<void> {
  for (let done = 0; done < count; done += BATCH) {
    const { payments } = await functions.take('bench', { processor: 'default', requestedAtMs: 0 }, BATCH)
    await functions.settle(
      'default',
      payments.map((payment, index) => ({ ...payment, requestedAtMs: timeOf(done + index) }))
    )
  }
}
