import type { Redis } from 'ioredis'
import { required } from './payments.ts'

/** Stops the redis-server behind a connection, so that it keeps everybody waiting, while `work` goes on. */
export async function whileFrozen<T>(redis: Redis, work: () => Promise<T>): Promise<T> {
  const pid = Number(required(/process_id:(\d+)/.exec(await redis.info('server'))?.[1]))
  process.kill(pid, 'SIGSTOP')
  try {
    return await work()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}
