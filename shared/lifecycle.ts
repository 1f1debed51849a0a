import { futimesSync, openSync } from 'node:fs'
import {
  describeVariables,
  integer,
  optionalText,
  problemsIn,
  readConfig,
  type ConfigOf,
  type Rule,
  type Variables
} from './config.ts'
import { createLog, LOG_LEVEL, type Log } from './log.ts'

/** Owns what a service has opened. What is owned last is released first. */
export type Scope = {
  own: <T>(resource: T, release: (resource: T) => Promise<unknown> | undefined) => T
}

export type Service<V extends Variables> = {
  name: string
  /** One sentence for --help. */
  about: string
  variables: V
  /** What the variables must be together. */
  rules?: readonly Rule<V>[]
  /**
   * Opens everything and returns when the service is ready. `crashed`, if given, rejects when the
   * service can't go on; it is then released and the process exits with 1.
   */
  start: (scope: Scope, config: ConfigOf<V>, log: Log) => Promise<{ crashed?: Promise<never> }>
}

/** The variables that every service has. */
export const COMMON_VARIABLES = {
  logLevel: LOG_LEVEL,
  drainMs: integer('DRAIN_MS', {
    default: 5_000,
    min: 0,
    max: 600_000,
    unit: 'ms',
    about:
      'How long SIGTERM waits for work in hand before the process leaves anyway. Nothing accepted is lost either way.'
  }),
  aliveFile: optionalText('ALIVE_FILE', {
    pattern: /^\/./,
    wants: 'an absolute path',
    about:
      'A file that is touched every second once the service is ready, while its event loop turns, for health checks. Unset: none.'
  })
}

const ALIVE_EVERY_MS = 1_000

/**
 * Runs a service until SIGTERM or SIGINT, then releases what it owns in reverse order. A second
 * signal ends it at once. Exit codes: 0 after a drain, 1 after a crash or a second signal, 2 for a wrong environment.
 */
export async function runService<V extends Variables>(service: Service<V>): Promise<void> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    console.log(
      `${service.name}: ${service.about}\n\nEnvironment:\n${describeVariables({ ...service.variables, ...COMMON_VARIABLES })}`
    )
    return
  }

  // All at once, so that nobody has to try again for the next one.
  const problems = [
    ...problemsIn(service.variables, process.env, service.rules),
    ...problemsIn(COMMON_VARIABLES, process.env)
  ]
  if (problems.length > 0) {
    console.error(`${service.name} can't start:\n${problems.join('\n')}`)
    process.exit(2)
  }
  const config = readConfig(service.variables, process.env)
  const common = readConfig(COMMON_VARIABLES, process.env)

  const log = createLog(service.name, common.logLevel)
  const releases: (() => Promise<unknown> | undefined)[] = []
  const scope: Scope = {
    own: (resource, release) => {
      releases.push(() => release(resource))
      return resource
    }
  }

  let isStopping = false
  const stop = async (exitCode: number) => {
    isStopping = true
    const deadline = setTimeout(() => {
      // What is not finished is on record in Redis, where a successor finds it.
      log.warn({ drainMs: common.drainMs }, 'left before all work in hand was finished')
      process.exit(exitCode)
    }, common.drainMs)
    for (const release of releases.reverse()) {
      try {
        await release()
      } catch (error) {
        log.warn({ err: error }, 'release failed')
      }
    }
    clearTimeout(deadline)
    log.info('stopped')
    process.exit(exitCode)
  }
  const crash = (error: unknown) => {
    log.fatal({ err: error }, 'crashed')
    if (isStopping) process.exit(1)
    void stop(1)
  }
  const onSignal = (signal: NodeJS.Signals) => {
    if (isStopping) process.exit(1)
    log.info({ signal }, 'stopping')
    void stop(0)
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  process.on('uncaughtException', crash)

  try {
    const { crashed } = await service.start(scope, config, log)
    crashed?.catch(crash)
    // Whoever started this process waits for this line, so it is written at any level.
    createLog(service.name, 'info').info('ready')
    if (common.aliveFile !== null) showAlive(common.aliveFile)
  } catch (error) {
    crash(error)
  }
}

/** Through an open file, so that one touch is one system call. */
function showAlive(path: string): void {
  const file = openSync(path, 'w')
  setInterval(() => {
    const now = Date.now() / 1000
    futimesSync(file, now, now)
  }, ALIVE_EVERY_MS).unref()
}
