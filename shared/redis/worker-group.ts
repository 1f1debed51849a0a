import type { Redis } from 'ioredis'
import { WORKER_GROUP, type Keys } from '../keys.ts'
import { replyErrorCode } from './errors.ts'
import { list } from './replies.ts'

export function createWorkerGroup(redis: Redis, keys: Keys) {
  const hasGroup = async () => {
    const groups = list(await redis.xinfo('GROUPS', keys.queue))
    return groups.some(group => list(group).includes(WORKER_GROUP))
  }
  return {
    /** Creates queue and worker group where they are missing, before the first payment or after a purge. */
    async createGroup(): Promise<void> {
      try {
        await redis.xgroup('CREATE', keys.queue, WORKER_GROUP, '0', 'MKSTREAM')
      } catch (error) {
        const code = replyErrorCode(error)
        // A Redis that is full says OOM before it looks; see loadLibrary.
        const isThere = code === 'BUSYGROUP' || (code === 'OOM' && (await hasGroup()))
        if (!isThere) throw error
      }
    }
  }
}
