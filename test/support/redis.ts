import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { createKeys, type Keys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { createFunctions, type Functions } from '../../shared/redis/functions.ts'

export type TestRedis = {
  redis: Redis
  url: string
  /** Functions and keys under a hash tag of their own, so that tests of one file don't meet. */
  isolate: () => Promise<{ keys: Keys; functions: Functions }>
}

/** A real redis-server on a unix socket in a temporary folder; ends with the test file. */
export async function startTestRedis(args: readonly string[] = []): Promise<TestRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'redis-'))
  const socket = join(directory, 'redis.sock')
  const server = spawn(
    'redis-server',
    [
      '--port',
      '0',
      '--unixsocket',
      socket,
      '--dir',
      directory,
      '--save',
      '',
      '--appendonly',
      'no',
      '--hash-max-listpack-entries',
      '512',
      ...args
    ],
    { stdio: 'ignore' }
  )
  const redis = await connectRedis(`unix:${socket}`, 'test', 30_000, createLog('test', 'silent'))
  after(async () => {
    redis.disconnect()
    server.kill('SIGTERM')
    if (server.exitCode === null) await once(server, 'exit')
    await rm(directory, { recursive: true, force: true })
  })
  return {
    redis,
    url: `unix:${socket}`,
    async isolate() {
      const keys = createKeys(`test-${randomUUID()}`)
      const functions = createFunctions(redis, keys, 24)
      await functions.createGroup()
      return { keys, functions }
    }
  }
}
