import { createKeys } from '../shared/keys.ts'
import { runService } from '../shared/lifecycle.ts'
import { connectRedis, onceRedisAnswers } from '../shared/redis/connect.ts'
import { loadLibrary } from '../shared/redis/library.ts'
import { createReports } from '../shared/watching/reports.ts'
import { watchProcess } from '../shared/watching/process-watch.ts'
import { createIdentity, startReporter } from '../shared/watching/reporter.ts'
import { MONITOR_RULES, MONITOR_VARIABLES } from './config.ts'
import { startMonitor } from './monitor.ts'
import { createPoller } from './poller.ts'
import { createTally, monitorReport } from './tally.ts'

const REDIS_TIMEOUT_MS = 2_000

await runService({
  name: 'health-monitor',
  about: 'polls the health of both processors and publishes the preferred one',
  variables: MONITOR_VARIABLES,
  rules: MONITOR_RULES,
  async start(scope, config, log) {
    const keys = createKeys()
    const identity = createIdentity(config.monitorName)
    const [tally, watch] = [createTally(), watchProcess()]
    const redis = scope.own(await connectRedis(config.redisUrl, 'monitor', REDIS_TIMEOUT_MS, log), client => {
      client.disconnect()
    })
    await onceRedisAnswers(() => loadLibrary(redis))

    const makeReport = () => monitorReport(identity, tally, watch.read(performance.now()))
    scope.own(startReporter({ name: identity.name, reports: createReports(redis, keys), makeReport, log }), running =>
      running.stop()
    )

    const poller = (origin: string) =>
      scope.own(createPoller(origin, config.pollTimeoutMs, Date.now), running => running.close())
    const monitor = startMonitor({
      name: identity.name,
      redis,
      keys,
      pollers: { default: poller(config.defaultProcessorUrl), fallback: poller(config.fallbackProcessorUrl) },
      pollEveryMs: config.pollEveryMs,
      pollTimeoutMs: config.pollTimeoutMs,
      healthExpiresMs: config.healthExpiresMs,
      leaseMs: config.leaseMs,
      nowMs: Date.now,
      tally,
      log
    })
    scope.own(monitor, running => running.stop())

    if (config.metricsListen) {
      const [{ serveMetrics }, { createMonitorMetrics }] = await Promise.all([
        import('../shared/watching/metrics/server.ts'),
        import('./metrics.ts')
      ])
      const metrics = createMonitorMetrics(tally, watch, identity.startedAtMs)
      scope.own(await serveMetrics(config.metricsListen, metrics, log), running => running.close())
    }
    return {}
  }
})
