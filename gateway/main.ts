import { createKeys } from '../shared/keys.ts'
import { runService } from '../shared/lifecycle.ts'
import { connectRedis, onceRedisAnswers } from '../shared/redis/connect.ts'
import { createFunctions } from '../shared/redis/functions.ts'
import { adoptIdPeriods } from '../shared/redis/id-periods.ts'
import { loadLibrary } from '../shared/redis/library.ts'
import { weighMemory } from '../shared/watching/memory.ts'
import { observe } from '../shared/watching/observe.ts'
import { purge } from '../shared/redis/purge.ts'
import { createReports } from '../shared/watching/reports.ts'
import { watchProcess } from '../shared/watching/process-watch.ts'
import { createIdentity, startReporter } from '../shared/watching/reporter.ts'
import { GATEWAY_RULES, GATEWAY_VARIABLES } from './config.ts'
import { createIntake } from './intake.ts'
import { createGatewayReport } from './watching/report.ts'
import { listen } from './server.ts'
import { weighedSeldom } from './watching/status/memory.ts'
import { createStatusSource } from './watching/status/source.ts'
import { createTally } from './tally.ts'

await runService({
  name: 'gateway',
  about: 'accepts payments over HTTP and queues them in Redis',
  variables: GATEWAY_VARIABLES,
  rules: GATEWAY_RULES,
  async start(scope, config, log) {
    const keys = createKeys()
    const identity = createIdentity(config.gatewayName)
    const redis = scope.own(await connectRedis(config.redisUrl, 'gateway', config.redisTimeoutMs, log), client =>
      client.quit()
    )
    await onceRedisAnswers(() => loadLibrary(redis))

    const functions = createFunctions(redis, keys, config.idRetentionHours)
    await onceRedisAnswers(() => adoptIdPeriods(redis, keys))
    const tally = createTally()
    const watch = watchProcess()
    const report = createGatewayReport(identity, tally)
    const makeReport = () => report(watch.read(performance.now()), performance.now())
    const reporter = scope.own(
      startReporter({ name: identity.name, reports: createReports(redis, keys), makeReport, log }),
      running => running.stop()
    )
    const memory = weighedSeldom(
      () => weighMemory(redis, keys),
      () => performance.now()
    )
    const status = await onceRedisAnswers(() =>
      createStatusSource({
        answeredBy: identity.label,
        fees: { default: config.defaultFee, fallback: config.fallbackFee },
        readRedis: async () => {
          const [observation, totals, parts] = await Promise.all([observe(redis, keys), functions.sumOfAll(), memory()])
          return { observation, totals, memory: parts }
        },
        redisAnsweredAtMs: reporter.sentAtMs,
        nowMs: () => performance.now()
      })
    )
    const statusBody = async () => (await status.read()).body

    // Loaded only where somebody may look at it: a gateway has little memory.
    const dashboard =
      config.dashboard === 'open' && config.status === 'open'
        ? (await import('./watching/dashboard/dashboard.ts')).createDashboard(status, log)
        : null

    const limits = { queuedMax: config.maxQueuedPayments, waitingMax: config.maxWaitingPayments }
    const server = await listen(config.listen, {
      intake: createIntake({ functions, limits, tally, log }),
      functions,
      purge: config.purge === 'open' ? { run: () => purge(redis, keys, functions), token: config.purgeToken } : null,
      status: config.status === 'open' ? statusBody : null,
      dashboard,
      tally,
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
    if (config.metricsListen) {
      const [{ serveMetrics }, { createGatewayMetrics }] = await Promise.all([
        import('../shared/watching/metrics/server.ts'),
        import('./watching/metrics.ts')
      ])
      const pages = { '/status': { contentType: 'application/json', render: statusBody } }
      const metrics = createGatewayMetrics({
        tally,
        watch,
        startedAtMs: identity.startedAtMs,
        queuedMax: config.maxQueuedPayments,
        status
      })
      scope.own(await serveMetrics(config.metricsListen, metrics, log, pages), running => running.close())
    }
    return {}
  }
})
