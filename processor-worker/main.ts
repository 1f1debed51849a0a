import { onceRedisAnswers } from '../shared/redis/connect.ts'
import { createFunctions } from '../shared/redis/functions.ts'
import { adoptIdPeriods } from '../shared/redis/id-periods.ts'
import { runService } from '../shared/service.ts'
import { waitForArrival } from './arrivals.ts'
import { breakerState } from './breaker.ts'
import { createProcessorClient } from './processor-client.ts'
import { WORKER_VARIABLES } from './variables.ts'
import { startHeartbeat } from './heartbeat.ts'
import { startWorkerLoop } from './loop.ts'
import { followPreferred } from './preferred.ts'
import { beatAndTakeOver } from './takeover.ts'
import { breakerLimitsOf, routingParametersOf } from './routing-parameters.ts'
import { createTally } from './tally.ts'
import { createTotalsRetention } from './totals-retention.ts'
import { createWorkerReport } from './watching/report.ts'

const REDIS_TIMEOUT_MS = 5_000

/**
 * Monotonic, in ms since 1970 as of the start: what the worker decides by time must not wait for a wall clock that
 * stepped back.
 */
const nowMs = () => Math.round(performance.timeOrigin + performance.now())

await runService({
  name: 'processor-worker',
  about: 'takes payments from the queue, sends each to one processor and settles it',
  variables: WORKER_VARIABLES,
  redis: () => ({ connectionName: 'worker-commands', replyTimeoutMs: REDIS_TIMEOUT_MS }),
  async start({ config, scope, log, identity, watch, keys, redis, connect, report, serveMetrics }) {
    const { name } = identity
    const tally = createTally()
    const blocking = await connect('worker-arrivals', null)
    const subscriber = await connect('worker-preferred', null)
    const functions = createFunctions(redis, keys)
    await onceRedisAnswers(() => adoptIdPeriods(redis, keys))
    await onceRedisAnswers(() => functions.createGroup())

    const clientLimits = { timeoutMs: config.processorTimeoutMs, inFlightMax: config.inFlightMax }
    const client = (origin: string) =>
      scope.own(createProcessorClient(origin, clientLimits), running => running.close())
    const clients = { default: client(config.defaultProcessorUrl), fallback: client(config.fallbackProcessorUrl) }

    const routing = routingParametersOf(config)
    const loop = startWorkerLoop({
      name,
      functions,
      clients,
      waitForArrival: entryId => waitForArrival(blocking, keys, entryId),
      routing,
      exchangeEveryMs: config.exchangeEveryMs,
      nowMs,
      requestedAtMs: Date.now,
      tally,
      log
    })
    const preferred = await followPreferred(redis, subscriber, keys, loop.onPreferred)
    const retention = createTotalsRetention({ redis, keys, functions, retentionHours: config.totalsRetentionHours })
    const beat = async () => {
      await retention.sweep(await beatAndTakeOver({ name, functions, loop, deadAfterMs: config.deadAfterMs, log }))
    }
    const heartbeat = startHeartbeat(config.deadAfterMs, () => Promise.all([beat(), preferred.refresh()]), log)

    const breakerLimits = breakerLimitsOf(routing)
    const workerReport = createWorkerReport(identity, tally, breakerLimits)
    const troubles = () => [loop.trouble(), heartbeat.trouble()].filter(trouble => trouble !== undefined)
    report(figures => workerReport(figures, loop.view(), troubles(), nowMs()))
    await serveMetrics(async () => {
      const { createWorkerMetrics } = await import('./watching/metrics.ts')
      return createWorkerMetrics({
        tally,
        watch,
        startedAtMs: identity.startedAtMs,
        view: loop.view,
        breakerState: processor => breakerState(loop.view()[processor].breaker, nowMs(), breakerLimits),
        connections: processor => clients[processor].connectionCount()
      })
    })

    scope.own(loop, async running => {
      await running.drain()
      await heartbeat.stop()
      // Only what is left on record is worth taking over: a worker without any leaves the list at once.
      await functions.retire(name).catch(() => false)
    })
    return { crashed: loop.crashed }
  }
})
