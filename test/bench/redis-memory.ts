// What a payment costs in Redis's memory: queued, remembered by its id, and counted in the totals.
//
//   node test/bench/redis-memory.ts [payments [rates]]      e.g. 3000000 5000
//
// Method: a real redis-server with the project's settings; used_memory before and after each stage, divided by the number of
// payments. The totals are settled at a steady rate per second, because that decides how full their nodes are.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createKeys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { createFunctions } from '../../shared/redis/functions.ts'
import { loadLibrary } from '../../shared/redis/library.ts'
import { renderTable } from '../../shared/table.ts'
import { cents, newPayments } from '../support/payments.ts'

// A day's share of 10 million payments in 30 days.
const paymentCount = Number(process.argv[2] ?? 333_333)
const RATES_PER_SECOND = (process.argv[3] ?? '4,50,500,5000').split(',').map(Number)
const BATCH = 250

const rows: string[][] = []
for (const ratePerSecond of RATES_PER_SECOND) rows.push(await measure(ratePerSecond))
console.log(`${paymentCount} payments; bytes of Redis memory a payment`)
console.log(renderTable(['settled at', 'queue alone', 'queued with its id', 'id once settled', 'totals'], rows))

/** A row of the table, from a Redis of its own: what an earlier run freed must not stand in the figures. */
async function measure(ratePerSecond: number): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'redis-memory-'))
  const socket = join(directory, 'redis.sock')
  const server = spawn('redis-server', [resolve('compose/redis.conf'), '--unixsocket', socket, '--dir', directory, '--appendonly', 'no'], { stdio: 'ignore' })
  const redis = await connectRedis(`unix:${socket}`, 'bench', 30_000, createLog('bench', 'silent'))
  const keys = createKeys()
  const functions = createFunctions(redis, keys, 24)
  await loadLibrary(redis)
  await functions.createGroup()
  const usedBytes = async () => Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])

  const empty = await usedBytes()
  for (let done = 0; done < paymentCount; done += BATCH) {
    // Amounts up to 999.99, as people pay.
    const payments = newPayments(Math.min(BATCH, paymentCount - done))
    await functions.accept(payments.map((payment, index) => ({ ...payment, cents: cents(1 + ((done + index) * 7_919) % 99_999) })), paymentCount)
  }
  const queued = await usedBytes()
  const queueAlone = await redis.memory('USAGE', keys.queue, 'SAMPLES', 0) ?? 0

  const startMs = Date.UTC(2026, 0, 1)
  for (let done = 0; done < paymentCount; done += BATCH) {
    const { payments } = await functions.take('bench', { processor: 'default', requestedAtMs: startMs }, BATCH)
    await functions.settle('default', payments.map((payment, index) => ({
      ...payment, requestedAtMs: startMs + Math.floor(((done + index) / ratePerSecond) * 1_000)
    })))
  }
  const settled = await usedBytes()
  for await (const page of redis.scanStream({ match: keys.totalsPattern, count: 1_000 })) {
    if ((page as string[]).length > 0) await redis.del(...(page as string[]))
  }
  const idsOnly = await usedBytes()

  redis.disconnect()
  server.kill('SIGTERM')
  await once(server, 'exit')
  await rm(directory, { recursive: true })
  return [
    `${ratePerSecond}/s`,
    ...[queueAlone, queued - empty, idsOnly - empty, settled - idsOnly].map(bytes => (bytes / paymentCount).toFixed(1))
  ]
}
