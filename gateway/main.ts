import { onceRedisAnswers } from '../shared/redis/connect.ts'
import { createFunctions } from '../shared/redis/functions.ts'
import { adoptIdPeriods } from '../shared/redis/id-periods.ts'
import { purge } from '../shared/redis/purge.ts'
import { runService } from '../shared/service.ts'
import { weighMemory } from '../shared/watching/memory.ts'
import { observe } from '../shared/watching/observe.ts'
import { BODY_BYTES_MAX, GATEWAY_RULES, GATEWAY_VARIABLES, WAITING_MAX } from './variables.ts'
import { createIntake } from './intake.ts'
import { listen } from './server.ts'
import { createTally } from './tally.ts'
import { createGatewayReport } from './watching/report.ts'
import { weighedSeldom } from './watching/status/memory.ts'
import { createStatusSource } from './watching/status/source.ts'

await runService({
  name: 'gateway',
  about: 'accepts payments over HTTP and queues them in Redis',
  variables: GATEWAY_VARIABLES,
  rules: GATEWAY_RULES,
  redis: config => ({ connectionName: 'gateway', replyTimeoutMs: config.redisTimeoutMs }),
  async start({ config, scope, log, identity, watch, keys, redis, report, serveMetrics }) {
    const functions = createFunctions(redis, keys, config.idRetentionHours)
    await onceRedisAnswers(() => adoptIdPeriods(redis, keys))
    const tally = createTally()
    const gatewayReport = createGatewayReport(identity, tally)
    const reporter = report(figures => gatewayReport(figures, performance.now()))

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

    const limits = { queuedMax: config.maxQueuedPayments, waitingMax: WAITING_MAX }
    const server = await listen(config.listen, {
      intake: createIntake({ functions, limits, tally, log }),
      functions,
      purge: config.purge === 'open' ? { run: () => purge(redis, keys, functions), token: config.purgeToken } : null,
      status: config.status === 'open' ? statusBody : null,
      dashboard,
      tally,
      isHealthy: () => {
        // Only an overdue reply shows that Redis hangs, and there may be no payments now that would wait for one.
        redis.ping().catch(() => undefined)
        return redis.status === 'ready'
      },
      maxCents: config.maxAmount,
      maxBodyBytes: BODY_BYTES_MAX,
      log
    })
    // Owned after Redis, so released before it: the last answers need it.
    scope.own(server, running => running.close())

    await serveMetrics(
      async () => {
        const { createGatewayMetrics } = await import('./watching/metrics.ts')
        const { startedAtMs } = identity
        return createGatewayMetrics({ tally, watch, startedAtMs, queuedMax: config.maxQueuedPayments, status })
      },
      { '/status': { contentType: 'application/json', render: statusBody } }
    )
    return {}
  }
})
