import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { Redis } from 'ioredis'
import { createKeys, type Keys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { createFunctions, type Functions } from '../../shared/redis/functions.ts'
import { ownerOf, type Own } from './owner.ts'

export type TestRedis = {
  redis: Redis
  url: string
  /** Functions and keys under a hash tag of their own, so that tests of one file don't meet. */
  isolate: () => Promise<{ keys: Keys; functions: Functions }>
}

/** Nothing on the disk, and settings in which tests see the limits of packed hashes. */
const TEST_SETTINGS = ['--port', '0', '--save', '', '--appendonly', 'no', '--hash-max-listpack-entries', '512']

/** A real redis-server; ends with the test file. */
export async function startTestRedis(args: readonly string[] = []): Promise<TestRedis> {
  const { redis, url } = await startRedis(ownerOf({ after }), [...TEST_SETTINGS, ...args])
  return {
    redis,
    url,
    async isolate() {
      const keys = createKeys(`test-${randomUUID()}`)
      const functions = createFunctions(redis, keys, 24)
      await functions.createGroup()
      return { keys, functions }
    }
  }
}

/** A redis-server on a unix socket in a temporary folder. */
export async function startRedis(own: Own, args: readonly string[]): Promise<{ redis: Redis; url: string }> {
  const directory = own(await mkdtemp(join(tmpdir(), 'redis-')), made => rm(made, { recursive: true, force: true }))
  const socket = join(directory, 'redis.sock')
  const words = [...args, '--unixsocket', socket, '--dir', directory]
  own(spawn('redis-server', words, { stdio: 'ignore' }), async server => {
    server.kill('SIGTERM')
    if (server.exitCode === null) await once(server, 'exit')
  })
  const url = `unix:${socket}`
  const redis = own(await connectRedis(url, 'test', 30_000, createLog('test', 'silent')), client => client.disconnect())
  return { redis, url }
}
