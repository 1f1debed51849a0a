import { runService } from '../shared/service.ts'
import { MONITOR_VARIABLES } from './variables.ts'
import { startMonitor } from './monitor.ts'
import { createPoller } from './poller.ts'
import { createTally, monitorReport } from './tally.ts'

const REDIS_TIMEOUT_MS = 2_000

await runService({
  name: 'health-monitor',
  about: 'polls the health of both processors and publishes the preferred one',
  variables: MONITOR_VARIABLES,
  redis: () => ({ connectionName: 'monitor', replyTimeoutMs: REDIS_TIMEOUT_MS }),
  async start({ config, scope, log, identity, watch, keys, redis, report, serveMetrics }) {
    const { pollEveryMs, pollTimeoutMs } = config
    const tally = createTally()
    report(figures => monitorReport(identity, tally, figures))

    const poller = (origin: string) =>
      scope.own(createPoller(origin, pollTimeoutMs, Date.now), running => running.close())
    const pollers = { default: poller(config.defaultProcessorUrl), fallback: poller(config.fallbackProcessorUrl) }
    const monitor = startMonitor({
      name: identity.name,
      redis,
      keys,
      pollers,
      pollEveryMs,
      pollTimeoutMs,
      nowMs: Date.now,
      tally,
      log
    })
    scope.own(monitor, running => running.stop())

    await serveMetrics(async () => {
      const { createMonitorMetrics } = await import('./metrics.ts')
      return createMonitorMetrics(tally, watch, identity.startedAtMs)
    })
    return {}
  }
})
