// Goal: a connection is usable as soon as Redis is, also when Redis took its time to load and had no idea for how long.
// Method: a real Redis whose log begins with many slow small writes and ends with a large one, so that at first it
// estimates hours.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Redis } from 'ioredis'
import { createLog } from '../../shared/log.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { eventually, PATIENCE_MS } from '../support/eventually.ts'

/** ioredis by itself asks again after ten seconds at the latest, if Redis says that it needs so long. */
const LATE_MAX_MS = 5_000

test('a Redis that has loaded its log is used at once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'loading-'))
  const socket = join(directory, 'redis.sock')
  after(() => rm(directory, { recursive: true, force: true }))
  const start = (...more: string[]) => {
    const log = '--appendonly yes --appendfsync no --port 0'.split(' ')
    const args = ['--unixsocket', socket, '--dir', directory, '--save', '', ...log, ...more]
    const server = spawn('redis-server', args, { stdio: 'ignore' })
    after(() => server.kill('SIGKILL'))
    return server
  }
  const first = start()
  const writer = await connectRedis(`unix:${socket}`, 'writer', 30_000, createLog('test', 'silent'))
  // Redis looks at its clients after each 1,024 commands that it has loaded.
  for (let count = 0; count < 5_120; count++) void writer.set('small', count)
  await writer.set('large', Buffer.alloc(20_000_000))
  writer.disconnect()
  first.kill('SIGTERM')
  await once(first, 'exit')

  start('--key-load-delay', '1000')
  const connecting = connectRedis(`unix:${socket}`, 'test', 30_000, createLog('test', 'silent'), PATIENCE_MS)
  // Asks without waiting for anything, to know when Redis was ready.
  const asking = new Redis(socket, { enableReadyCheck: false, retryStrategy: () => 50 })
  asking.on('error', () => undefined)
  after(() => asking.disconnect())
  const isLoading = () =>
    asking.ping().then(
      () => false,
      (error: unknown) => String(error).includes('LOADING')
    )
  await eventually('Redis loads', isLoading)
  await eventually('Redis has loaded', async () => !(await isLoading()))
  const loadedAtMs = performance.now()
  const redis = await connecting
  const lateMs = performance.now() - loadedAtMs
  assert.equal(await redis.get('small'), '5119')
  redis.disconnect()
  assert(lateMs < LATE_MAX_MS, `${lateMs} ms`)
})
