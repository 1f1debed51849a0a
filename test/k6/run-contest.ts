// npm run contest: one run of the contest, from nothing to a score.
import { readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { readBackend, readProcessors } from './books.ts'
import { drain, type Drained } from './drain.ts'
import { ensureK6, K6_VERSION, NoK6Error } from './find-k6.ts'
import { provenance } from './provenance.ts'
import { renderTable } from './report.ts'
import { runK6 } from './run-k6.ts'
import { parseSchedule } from './schedule.ts'
import type { Result } from './score.ts'
import { NoTargetError, openTarget, type Target } from './target.ts'

const published = join(import.meta.dirname, 'schedules/published.json')

const usage = `npm run contest: growing load while both processors misbehave by a schedule, and what it earned.

  npm run contest                       the published schedule, with everything started and taken down again
  npm run contest -- --schedule FILE    another schedule; test/k6/schedules/published.json shows the form
  npm run contest -- --drain SECONDS    how long it waits for payments that are left over (default: 30)
  npm run --silent contest -- --json    one line of JSON on stdout instead of a table

Progress is on stderr. After the run it waits until what is left over is settled, and compares the full books of both
sides.

Without a backend on http://localhost:9999 it starts the whole system on free ports, with models of the processors.
Environment, for a system that runs already; its processors' books are EMPTIED, and its own too if it lets them:
  BACKEND_URL               use this backend; if unset, http://localhost:9999 if something answers there
  DEFAULT_PROCESSOR_URL     its default processor (default: http://localhost:8001)
  FALLBACK_PROCESSOR_URL    its fallback processor (default: http://localhost:8002)
  TOKEN                     the X-Rinha-Token of both (default: 123)

k6 comes from PATH or .cache/bin; if it is in neither, Go builds ${K6_VERSION} into .cache/bin.

Exit codes
  0    every request succeeded, no inconsistency, in the end everything accepted was settled and the books agreed
  1    something of that was not so; the score is printed all the same
  2    the run could not take place: arguments, schedule, k6 or target
  130  stopped by Ctrl-C`

/** The arguments or the schedule are wrong. */
class UsageError extends Error {
  override name = 'UsageError'
}

type Settings = { schedulePath: string; drainMaxMs: number; wantsJson: boolean }

async function main(): Promise<number> {
  const settings = readArguments()
  if (settings === undefined) {
    console.log(usage)
    return 0
  }
  assertSchedule(settings.schedulePath)

  const signal = abortOnSignals()
  let target: Target | undefined
  try {
    const k6 = await ensureK6(signal)
    target = await openTarget(process.env, signal)
    const { result, drained } = await Promise.race([run(k6, settings, target, signal), target.broken])
    const schedule = shown(settings.schedulePath)
    if (settings.wantsJson) console.log(JSON.stringify({ ...result, ...drained, schedule, ...provenance() }))
    else console.log(`\n${renderTable(result)}\n\n${describeDrain(result, drained)}`)
    return isFine(result, drained) ? 0 : 1
  } catch (error) {
    if (!signal.aborted) throw error
    console.error('Stopped.')
    return 130
  } finally {
    await target?.stop()
  }
}

async function run(
  k6: string, { schedulePath, drainMaxMs }: Settings, target: Target, signal: AbortSignal
): Promise<{ result: Result; drained: Drained }> {
  const { backendUrl, processorUrls, token } = target
  const result = await runK6(k6, schedulePath, target, signal)
  if (result.lag > 0) console.error(`${result.lag} payments were left over at the end; waiting for them`)
  const drained = await drain(result.accepted, drainMaxMs, async () => {
    const [processors, backend] = await Promise.all([readProcessors(processorUrls, token), readBackend(backendUrl)])
    return { processors, backend }
  }, signal)
  return { result, drained }
}

function isFine(result: Result, { finallySettled, neverSettled, differences }: Drained): boolean {
  return result.failedRequests === 0 && result.inconsistencies === 0 && !result.disqualified
    && finallySettled <= result.asked && neverSettled === 0 && differences.length === 0
}

function describeDrain({ lag, asked }: Result, drained: Drained): string {
  const { finallySettled, neverSettled, drainMs, differences } = drained
  const lines = [lag === 0
    ? 'Nothing was left over at the end.'
    : `${lag} payments were left over at the end; ${lag - neverSettled} settled afterwards, ${neverSettled} did not.`]
  if (finallySettled > asked) lines.push(`PAID TWICE: ${finallySettled} settled, but ${asked} asked for.`)
  if (differences.length > 0) lines.push(`THE FULL BOOKS DIFFER: ${differences.join('; ')}.`)
  else lines.push(`The full books agree${drainMs === null ? '' : `, ${(drainMs / 1000).toFixed(1)} s after the run`}.`)
  return lines.map(line => `  ${line}`).join('\n')
}

function readArguments(): Settings | undefined {
  try {
    const { values } = parseArgs({
      options: {
        schedule: { type: 'string', default: published }, drain: { type: 'string', default: '30' },
        json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h' }
      }
    })
    if (values.help === true) return undefined
    if (!/^\d{1,4}$/.test(values.drain)) throw new Error('--drain wants whole seconds, at most 9999')
    return { schedulePath: resolve(values.schedule), drainMaxMs: Number(values.drain) * 1_000, wantsJson: values.json }
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`, { cause: error })
  }
}

function assertSchedule(path: string): void {
  try {
    parseSchedule(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    throw new UsageError(`${shown(path)}: ${(error as Error).message}`, { cause: error })
  }
}

/** The first signal asks for an orderly end; a second one, later than what npm hands on of the first, ends at once. */
function abortOnSignals(): AbortSignal {
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
function shown(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`\ncontest: ${error instanceof Error ? error.message : String(error)}`)
  const couldNotRun = error instanceof UsageError || error instanceof NoK6Error || error instanceof NoTargetError
  process.exitCode = couldNotRun ? 2 : 1
}
