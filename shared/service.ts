import type { Redis } from 'ioredis'
import { describeVariables, problemsIn, readConfig, type ConfigOf, type Rule, type Variables } from './environment.ts'
import { createKeys, type Keys } from './keys.ts'
import { beginLifecycle, showAlive, type Scope } from './lifecycle.ts'
import { createLog, type Log } from './log.ts'
import { connectRedis, onceRedisAnswers } from './redis/connect.ts'
import { loadLibrary } from './redis/library.ts'
import { retiredIn, SERVICE_VARIABLES } from './variables.ts'
import type { Metrics } from './watching/metrics/metrics.ts'
import type { Page } from './watching/metrics/server.ts'
import { watchProcess, type ProcessWatch } from './watching/process-watch.ts'
import type { ProcessFigures, Report } from './watching/report.ts'
import { createIdentity, startReporter, type Identity, type Reporter } from './watching/reporter.ts'
import { createReports } from './watching/reports.ts'

type ServiceVariables = typeof SERVICE_VARIABLES

export type Service<V extends Variables> = {
  name: string
  /** One sentence for --help. */
  about: string
  /** Beside those that every service reads. */
  variables: V
  /** What the variables must be together. */
  rules?: readonly Rule<V & ServiceVariables>[]
  /** The connection for commands: its name in Redis, and how long a reply may take. */
  redis: (config: ConfigOf<V & ServiceVariables>) => { connectionName: string; replyTimeoutMs: number }
  /**
   * Opens everything and returns when the service is ready. `crashed`, if given, rejects when the service cannot go on;
   * it is then released and the process exits with 1.
   */
  start: (base: Base<ConfigOf<V & ServiceVariables>>) => Promise<{ crashed?: Promise<never> }>
}

/** What a service has from the beginning. */
export type Base<Config> = {
  config: Config
  scope: Scope
  log: Log
  identity: Identity
  watch: ProcessWatch
  keys: Keys
  /** For commands; it answers, and has the functions of this version. */
  redis: Redis
  /** One more connection, owned by the scope; null waits for a reply for ever. */
  connect: (connectionName: string, replyTimeoutMs: number | null) => Promise<Redis>
  /** Reports once a second from now on; see watching/reporter.ts. */
  report: (makeReport: (figures: ProcessFigures) => Report) => Reporter
  /**
   * Serves metrics, and other pages by their path, where METRICS_LISTEN asks for it. What makes them is loaded only
   * then: without prom-client and node:http a process is 7 MB smaller.
   */
  serveMetrics: (load: () => Promise<Metrics>, pages?: Record<string, Page>) => Promise<void>
}

/** Runs a service until a signal ends it; see lifecycle.ts. Exit code 2 for a wrong environment. */
export async function runService<V extends Variables>(service: Service<V>): Promise<void> {
  const variables = { ...service.variables, ...SERVICE_VARIABLES }
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    console.log(`${service.name}: ${service.about}\n\nEnvironment:\n${describeVariables(variables)}`)
    return
  }
  // All at once, so that nobody has to try again for the next one.
  const problems = problemsIn(variables, process.env, service.rules)
  if (problems.length > 0) {
    console.error(`${service.name} can't start:\n${problems.join('\n')}`)
    process.exit(2)
  }

  const config = readConfig(variables, process.env)
  const { logLevel, drainMs, aliveFile } = config as ConfigOf<ServiceVariables>
  const log = createLog(service.name, logLevel)
  for (const sentence of retiredIn(process.env)) log.warn(sentence)
  const { scope, crash } = beginLifecycle(drainMs, log)
  try {
    const base = await createBase(service, config, scope, log)
    const { crashed } = await service.start(base)
    crashed?.catch(crash)
    // Whoever started this process waits for this line, so it is written at any level.
    createLog(service.name, 'info').info('ready')
    if (aliveFile !== null) showAlive(aliveFile)
  } catch (error) {
    crash(error)
  }
}

async function createBase<V extends Variables>(
  service: Service<V>,
  config: ConfigOf<V & ServiceVariables>,
  scope: Scope,
  log: Log
): Promise<Base<ConfigOf<V & ServiceVariables>>> {
  const { redisUrl, name, metricsListen } = config as ConfigOf<ServiceVariables>
  const keys = createKeys()
  const [identity, watch] = [createIdentity(name), watchProcess()]
  const connect = async (connectionName: string, replyTimeoutMs: number | null) =>
    scope.own(await connectRedis(redisUrl, connectionName, replyTimeoutMs, log), client => {
      client.disconnect()
      return undefined
    })
  const { connectionName, replyTimeoutMs } = service.redis(config)
  const redis = await connect(connectionName, replyTimeoutMs)
  await onceRedisAnswers(() => loadLibrary(redis))

  return {
    config,
    scope,
    log,
    identity,
    watch,
    keys,
    redis,
    connect,
    report(makeReport) {
      const reports = createReports(redis, keys)
      const make = () => makeReport(watch.read(performance.now()))
      return scope.own(startReporter({ name: identity.name, reports, makeReport: make, log }), running =>
        running.stop()
      )
    },
    async serveMetrics(load, pages) {
      if (metricsListen === null) return
      const [{ serveMetrics }, metrics] = await Promise.all([import('./watching/metrics/server.ts'), load()])
      scope.own(await serveMetrics(metricsListen, metrics, log, pages), running => running.close())
    }
  }
}
