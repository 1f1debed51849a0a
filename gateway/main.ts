import { createIdPeriods } from '../shared/id-memory.ts'
import { createKeys } from '../shared/keys.ts'
import { runService } from '../shared/lifecycle.ts'
import { connectRedis, onceRedisAnswers } from '../shared/redis/connect.ts'
import { createFunctions } from '../shared/redis/functions.ts'
import { loadLibrary } from '../shared/redis/library.ts'
import { purge } from '../shared/redis/purge.ts'
import { GATEWAY_VARIABLES } from './config.ts'
import { createIntake } from './intake.ts'
import { listen } from './server.ts'

await runService({
  name: 'gateway',
  about: 'accepts payments over HTTP and queues them in Redis',
  variables: GATEWAY_VARIABLES,
  async start(scope, config, log) {
    const keys = createKeys()
    const redis = scope.own(await connectRedis(config.redisUrl, 'gateway', config.redisTimeoutMs, log), client => client.quit())
    await onceRedisAnswers(() => loadLibrary(redis))

    const functions = createFunctions(redis, keys, createIdPeriods(config.idRetentionHours))
    const limits = { queuedMax: config.maxQueuedPayments, waitingMax: config.maxWaitingPayments }
    const server = await listen(config.listen, {
      intake: createIntake({ functions, limits, log }),
      functions,
      purge: config.purge === 'open' ? { run: () => purge(redis, keys, functions), token: config.purgeToken } : null,
      isHealthy: () => {
        // Nothing but a reply that is overdue shows that Redis hangs, and perhaps nobody pays just now.
        redis.ping().catch(() => undefined)
        return redis.status === 'ready'
      },
      maxCents: config.maxAmount,
      maxBodyBytes: config.maxBodyBytes,
      log
    })
    // Owned after Redis, so released before it: the last answers need it.
    scope.own(server, running => running.close())
    return {}
  }
})
