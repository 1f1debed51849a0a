import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { createKeys } from '../shared/keys.ts'
import { runService } from '../shared/lifecycle.ts'
import { connectRedis, onceRedisAnswers } from '../shared/redis/connect.ts'
import { loadLibrary } from '../shared/redis/library.ts'
import { MONITOR_VARIABLES } from './config.ts'
import { startMonitor } from './monitor.ts'
import { createPoller } from './poller.ts'

const REDIS_TIMEOUT_MS = 2_000

await runService({
  name: 'health-monitor',
  about: 'polls the health of both processors and publishes the preferred one',
  variables: MONITOR_VARIABLES,
  async start(scope, config, log) {
    const keys = createKeys()
    const redis = scope.own(await connectRedis(config.redisUrl, 'monitor', REDIS_TIMEOUT_MS, log), client => { client.disconnect() })
    await onceRedisAnswers(() => loadLibrary(redis))

    const poller = (origin: string) => scope.own(createPoller(origin, config.pollTimeoutMs, Date.now), running => running.close())
    const monitor = startMonitor({
      name: `${hostname()}-${randomBytes(4).toString('hex')}`,
      redis,
      keys,
      pollers: { default: poller(config.defaultProcessorUrl), fallback: poller(config.fallbackProcessorUrl) },
      pollEveryMs: config.pollEveryMs,
      pollTimeoutMs: config.pollTimeoutMs,
      healthExpiresMs: config.healthExpiresMs,
      leaseMs: config.leaseMs,
      log
    })
    scope.own(monitor, running => running.stop())
    return {}
  }
})
