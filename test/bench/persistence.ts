// What it costs that an accepted payment outlives a crash: accepting with each way of writing Redis's append-only file.
//
//   node test/bench/persistence.ts [seconds]
//
// Method: a real redis-server for each way; one client accepts batches of a size, the next when the last is
// acknowledged, as a gateway with so many requests in one turn of its event loop does. CPU is Redis's own, user and
// system.
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
import { newPayments } from '../support/payments.ts'

const seconds = Number(process.argv[2] ?? 3)
const WAYS: Record<string, string[]> = {
  'no file': ['--appendonly', 'no'],
  no: ['--appendfsync', 'no'],
  everysec: ['--appendfsync', 'everysec'],
  always: ['--appendfsync', 'always']
}

const rows: string[][] = []
for (const [name, args] of Object.entries(WAYS)) {
  for (const batch of [1, 10, 50]) rows.push([name, String(batch), ...(await measure(args, batch))])
}
console.log(renderTable(['appendfsync', 'batch', 'accepted/s', 'p50 ms', 'p99 ms', 'Redis CPU µs/payment'], rows))

async function measure(args: string[], batch: number): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'persistence-'))
  const socket = join(directory, 'redis.sock')
  const server = spawn(
    'redis-server',
    [resolve('compose/redis.conf'), '--unixsocket', socket, '--dir', directory, ...args],
    { stdio: 'ignore' }
  )
  const redis = await connectRedis(`unix:${socket}`, 'bench', 30_000, createLog('bench', 'silent'))
  await loadLibrary(redis)
  const functions = createFunctions(redis, createKeys(), 24)
  const cpuMicros = async () => {
    const [, system, user] = /used_cpu_sys:([\d.]+)[^]*?used_cpu_user:([\d.]+)/.exec(await redis.info('cpu')) ?? []
    return (Number(system) + Number(user)) * 1_000_000
  }

  const latenciesMs: number[] = []
  const cpuBefore = await cpuMicros()
  const endMs = performance.now() + seconds * 1_000
  while (performance.now() < endMs) {
    const payments = newPayments(batch)
    const startMs = performance.now()
    await functions.accept(payments, 1_000_000_000)
    latenciesMs.push(performance.now() - startMs)
  }
  const accepted = latenciesMs.length * batch
  const cpuEach = ((await cpuMicros()) - cpuBefore) / accepted

  redis.disconnect()
  server.kill('SIGTERM')
  await once(server, 'exit')
  await rm(directory, { recursive: true })
  latenciesMs.sort((a, b) => a - b)
  const quantile = (share: number) => (latenciesMs[Math.floor(latenciesMs.length * share)] ?? NaN).toFixed(2)
  return [(accepted / seconds).toFixed(0), quantile(0.5), quantile(0.99), cpuEach.toFixed(1)]
}
