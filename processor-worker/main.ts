import { setTimeout as sleep } from 'node:timers/promises'
import { createKeys } from '../shared/keys.ts'
import { runService } from '../shared/lifecycle.ts'
import { connectRedis, onceRedisAnswers } from '../shared/redis/connect.ts'
import { createFunctions } from '../shared/redis/functions.ts'
import { adoptIdPeriods } from '../shared/redis/id-periods.ts'
import { loadLibrary } from '../shared/redis/library.ts'
import { createReports } from '../shared/watching/reports.ts'
import { watchProcess } from '../shared/watching/process-watch.ts'
import { createIdentity, startReporter } from '../shared/watching/reporter.ts'
import { waitForArrival } from './arrivals.ts'
import { breakerState } from './breaker.ts'
import { createProcessorClient } from './client.ts'
import { WORKER_RULES, WORKER_VARIABLES } from './config.ts'
import { createWorkerLoop } from './loop.ts'
import { followPreferred } from './preferred.ts'
import { recover } from './recovery.ts'
import { breakerLimitsOf } from './routing.ts'
import { createTally } from './tally.ts'
import { createTotalsRetention } from './totals-retention.ts'
import { createWorkerReport } from './watching/report.ts'
import { createTrouble } from './watching/trouble.ts'

const REDIS_TIMEOUT_MS = 5_000

/** In ms since 1970, but never set: what the worker decides by time must not wait for a clock that stepped back. */
const nowMs = () => Math.round(performance.timeOrigin + performance.now())

await runService({
  name: 'processor-worker',
  about: 'takes payments from the queue, sends each to one processor and settles it',
  variables: WORKER_VARIABLES,
  rules: WORKER_RULES,
  async start(scope, config, log) {
    const identity = createIdentity(config.workerName)
    const { name } = identity
    const [tally, watch] = [createTally(), watchProcess()]
    const keys = createKeys()
    const connect = async (purpose: string, timeoutMs: number | null) =>
      scope.own(await connectRedis(config.redisUrl, `worker-${purpose}`, timeoutMs, log), client => {
        client.disconnect()
      })
    const redis = await connect('commands', REDIS_TIMEOUT_MS)
    const blocking = await connect('arrivals', null)
    const subscriber = await connect('preferred', null)

    const functions = createFunctions(redis, keys)
    await onceRedisAnswers(() => loadLibrary(redis))
    await onceRedisAnswers(() => adoptIdPeriods(redis, keys))
    await onceRedisAnswers(() => functions.createGroup())

    const clientLimits = { timeoutMs: config.processorTimeoutMs, inFlightMax: config.inFlightMax }
    const client = (origin: string) =>
      scope.own(createProcessorClient(origin, clientLimits), running => running.close())
    const clients = { default: client(config.defaultProcessorUrl), fallback: client(config.fallbackProcessorUrl) }

    const loop = createWorkerLoop({
      name,
      functions,
      clients,
      waitForArrival: entryId => waitForArrival(blocking, keys, entryId),
      routing: config,
      exchangeEveryMs: config.exchangeEveryMs,
      nowMs,
      requestedAtMs: Date.now,
      tally,
      log
    })
    const breakerLimits = breakerLimitsOf(config)
    const report = createWorkerReport(identity, tally, breakerLimits)
    const heartbeat = createTrouble('heartbeat', {
      onBegin: error => {
        log.error({ err: error }, 'heartbeat failed')
      },
      onEnd: afterMs => {
        log.warn({ afterMs }, 'heartbeat works again')
      }
    })
    const troubles = () => [loop.trouble(), heartbeat.current()].filter(trouble => trouble !== undefined)
    const makeReport = () => report(watch.read(performance.now()), loop.view(), troubles(), nowMs())
    scope.own(startReporter({ name, reports: createReports(redis, keys), makeReport, log }), running => running.stop())
    if (config.metricsListen) {
      const [{ serveMetrics }, { createWorkerMetrics }] = await Promise.all([
        import('../shared/watching/metrics/server.ts'),
        import('./watching/metrics.ts')
      ])
      const metrics = createWorkerMetrics({
        tally,
        watch,
        startedAtMs: identity.startedAtMs,
        view: loop.view,
        breakerState: processor => breakerState(loop.view()[processor].breaker, nowMs(), breakerLimits),
        connections: processor => clients[processor].connectionCount()
      })
      scope.own(await serveMetrics(config.metricsListen, metrics, log), running => running.close())
    }
    const preferred = await followPreferred(redis, subscriber, keys, loop.onPublished)

    const retention = createTotalsRetention({ redis, keys, functions, retentionHours: config.totalsRetentionHours })
    const beat = async () => {
      await retention.sweep(await recover({ name, functions, loop, deadAfterMs: config.deadAfterMs, log }))
    }
    const stopping = new AbortController()
    const beating = (async () => {
      while (!stopping.signal.aborted) {
        await Promise.all([beat(), preferred.refresh()]).then(heartbeat.end, heartbeat.begin)
        await sleep(config.heartbeatMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      }
    })()

    scope.own(loop, async running => {
      await running.drain()
      stopping.abort()
      await beating
      // With nothing left on record there is nothing to take over.
      await functions.retire(name).catch(() => false)
    })
    return { crashed: loop.crashed }
  }
})
