import { futimesSync, openSync } from 'node:fs'
import type { Log } from './log.ts'

/** Owns what a service has opened. What is owned last is released first. */
export type Scope = {
  own: <T>(resource: T, release: (resource: T) => Promise<unknown> | undefined) => T
}

export type Lifecycle = {
  scope: Scope
  /** Releases what is owned, and ends the process with 1. */
  crash: (error: unknown) => void
}

const ALIVE_EVERY_MS = 1_000

/**
 * From now on SIGTERM and SIGINT release what is owned in reverse order and end the process, a second signal ends it at
 * once. Exit codes: 0 after a drain, 1 after a crash or a second signal.
 *
 * @param drainMs how long a release may take altogether before the process leaves anyway
 */
export function beginLifecycle(drainMs: number, log: Log): Lifecycle {
  const releases: (() => Promise<unknown> | undefined)[] = []
  let isStopping = false

  const stop = async (exitCode: number) => {
    isStopping = true
    const deadline = setTimeout(() => {
      // What is not finished is on record in Redis, where a successor finds it.
      log.warn({ drainMs }, 'left before all work in hand was finished')
      process.exit(exitCode)
    }, drainMs)
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

  const own: Scope['own'] = (resource, release) => {
    releases.push(() => release(resource))
    return resource
  }
  return { scope: { own }, crash }
}

/** Touches a file every second, through an open one, so that one touch is one system call. */
export function showAlive(path: string): void {
  const file = openSync(path, 'w')
  setInterval(() => {
    const now = Date.now() / 1000
    futimesSync(file, now, now)
  }, ALIVE_EVERY_MS).unref()
}
