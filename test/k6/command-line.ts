// What the contest's commands have in common on the command line.
import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseSchedule } from './schedule.ts'

export const PUBLISHED_SCHEDULE = join(import.meta.dirname, 'schedules/published.json')

/** The arguments or the schedule are wrong. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** @throws UsageError */
export function assertSchedule(path: string): void {
  try {
    parseSchedule(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    throw new UsageError(`${shown(path)}: ${(error as Error).message}`, { cause: error })
  }
}

/** The value of --drain as ms. @throws Error */
export function drainMsOf(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new Error('--drain wants whole seconds, at most 9999')
  return Number(text) * 1_000
}

/** The first signal asks for an orderly end; a second one, later than what npm hands on of the first, ends at once. */
export function abortOnSignals(): AbortSignal {
  const sameSignalWithinMs = 400
  const controller = new AbortController()
  let firstMs: number | undefined
  const onSignal = () => {
    if (firstMs !== undefined && performance.now() - firstMs > sameSignalWithinMs) process.exit(130)
    if (firstMs !== undefined) return
    firstMs = performance.now()
    console.error('\nStopping … (again to leave at once)')
    controller.abort(new Error('stopped by a signal'))
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal)
  return controller.signal
}

/** A path as short as it can be typed here. */
export function shown(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}
