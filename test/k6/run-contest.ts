// npm run contest: one run of the contest, from nothing to a score.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { abortOnSignals, assertSchedule, drainMsOf, PUBLISHED_SCHEDULE, shown, UsageError } from './command-line.ts'
import { ensureK6, K6_VERSION, NoK6Error } from './find-k6.ts'
import { describeDrain, isFine, runOnce } from './one-run.ts'
import { provenance } from './provenance.ts'
import { renderTable } from './report.ts'
import { NoTargetError, openTarget, type Target } from './target.ts'

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
    const run = await Promise.race([
      runOnce(k6, settings.schedulePath, settings.drainMaxMs, target, signal),
      target.broken
    ])
    const schedule = shown(settings.schedulePath)
    if (settings.wantsJson) console.log(JSON.stringify({ ...run.result, ...run.drained, schedule, ...provenance() }))
    else console.log(`\n${renderTable(run.result)}\n\n${describeDrain(run)}`)
    return isFine(run) ? 0 : 1
  } catch (error) {
    if (!signal.aborted) throw error
    console.error('Stopped.')
    return 130
  } finally {
    await target?.stop()
  }
}

function readArguments(): Settings | undefined {
  try {
    const { values } = parseArgs({
      options: {
        schedule: { type: 'string', default: PUBLISHED_SCHEDULE },
        drain: { type: 'string', default: '30' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' }
      }
    })
    if (values.help === true) return undefined
    return { schedulePath: resolve(values.schedule), drainMaxMs: drainMsOf(values.drain), wantsJson: values.json }
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`, { cause: error })
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`\ncontest: ${error instanceof Error ? error.message : String(error)}`)
  const couldNotRun = error instanceof UsageError || error instanceof NoK6Error || error instanceof NoTargetError
  process.exitCode = couldNotRun ? 2 : 1
}
