// npm run simulate: what the routing policy earns, thousands of times faster than real time.
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { SingleBar } from 'cli-progress'
import { ROUTING_VARIABLES } from '../../processor-worker/routing-parameters.ts'
import { ConfigError, describeVariables, readConfig } from '../../shared/config.ts'
import type { Schedule } from '../support/contest/schedule.ts'
import { compare, parseRealRun, TOLERANCE } from './compare.ts'
import { POLICIES } from './policies.ts'
import { insertReport, plotSchedule, renderReport, REPORT_RUNS } from './report.ts'
import { readSchedule } from './schedules.ts'
import { simulate } from './simulate.ts'
import { simulateMany, type RandomSet } from './statistics.ts'
import { renderRuns, renderStatistics } from './tables.ts'

const root = join(import.meta.dirname, '../..')
const publishedPath = join(root, 'test/k6/schedules/published.json')
const pagePath = join(root, 'docs/routing.md')
const plotPath = join(root, 'docs/routing.svg')

const usage = `npm run simulate: what the routing policy earns, against an oracle that knows the schedule and against simple policies.

  npm run simulate                                the published schedule
  npm run simulate -- --schedule FILE             another one, as npm run contest takes it
  npm run simulate -- --random N [--seed S]       N random schedules (default seed: 1)
  npm run simulate -- --random N --even           random ones that ask far too much, see docs/routing.md
  npm run simulate -- … --workers W               several workers, each with its share of IN_FLIGHT_MAX (default: 1)
  npm run simulate -- --schedule FILE --plot FILE.svg   stages, queue, in flight and bookings over time
  npm run simulate -- --schedule FILE --compare FILE    against a real run: the line of npm run contest -- --json
  npm run simulate -- --report                    writes the figures into docs/routing.md, and docs/routing.svg; takes minutes
  npm run --silent simulate -- … --json           one line of JSON instead of a table, of this policy alone

The same command gives the same result. Environment, as the worker reads it:
${describeVariables(ROUTING_VARIABLES)}

Exit codes: 0; 1 if --compare finds a difference of more than 2 %; 2 for wrong arguments, files or environment.`

const DRAW_EVERY_MS = 100

class UsageError extends Error {
  override name = 'UsageError'
}

function main(): number {
  const settings = readArguments()
  if (settings === undefined) {
    console.log(usage)
    return 0
  }
  const parameters = readConfig(ROUTING_VARIABLES, process.env)
  const workerCount = settings.workers
  const given = {
    parameters: { ...parameters, inFlightMax: Math.ceil(parameters.inFlightMax / workerCount) },
    workerCount
  }
  const policies = Object.entries(POLICIES).slice(0, settings.json ? 1 : undefined)

  if (settings.report) {
    report()
    return 0
  }
  if (settings.random !== undefined) {
    const set: RandomSet = { seed: settings.seed, count: settings.random, family: settings.even ? 'even' : 'plausible' }
    const rows = withProgress(set.count * policies.length, onRun =>
      policies.map(([name, policy]) => [name, simulateMany(set, { policy, ...given }, onRun)] as const)
    )
    if (settings.json) console.log(JSON.stringify({ ...set, ...rows[0]?.[1] }))
    else console.log(renderStatistics(rows.map(([name, statistics]) => [name, statistics])))
    return 0
  }

  const schedule = scheduleOf(settings.schedule)
  const runs = policies.map(([name, policy]) => [name, simulate(schedule, { policy, ...given })] as const)
  const ours = runs[0]?.[1]
  if (ours === undefined) throw new Error('there is no policy')
  if (settings.plot !== undefined)
    writeFileSync(settings.plot, plotSchedule(basename(settings.schedule), schedule, parameters))
  if (settings.compare !== undefined) {
    const { differences, table } = compare(ours, realRunOf(settings.compare))
    console.log(table)
    return Math.max(...differences) <= TOLERANCE ? 0 : 1
  }
  console.log(settings.json ? JSON.stringify(ours) : renderRuns(runs.map(([name, result]) => [name, result])))
  return 0
}

function report(): void {
  const published = readSchedule(publishedPath)
  const text = withProgress(REPORT_RUNS, onRun => renderReport(published, onRun))
  writeFileSync(pagePath, insertReport(readFileSync(pagePath, 'utf8'), text))
  writeFileSync(plotPath, plotSchedule('the published schedule', published, readConfig(ROUTING_VARIABLES, {})))
}

/** Shows on a terminal how far it is; says at the end how fast it was. */
function withProgress<T>(runs: number, work: (onRun: (schedule: Schedule) => void) => T): T {
  const bar = process.stderr.isTTY
    ? new SingleBar({ format: '{bar} {value} of {total} runs, {eta_formatted} left', stream: process.stderr })
    : undefined
  const startedAtMs = performance.now()
  let [simulatedMs, drawnAtMs] = [0, 0]
  bar?.start(runs, 0)
  const result = work(({ durationMs }) => {
    simulatedMs += durationMs
    bar?.increment()
    // The event loop doesn't turn here, so the bar can't draw itself.
    if (performance.now() - drawnAtMs < DRAW_EVERY_MS) return
    drawnAtMs = performance.now()
    bar?.render()
  })
  bar?.stop()
  const tookMs = performance.now() - startedAtMs
  console.error(
    `${runs} runs in ${(tookMs / 1_000).toFixed(1)} s, ${Math.round(simulatedMs / tookMs)} times faster than real time`
  )
  return result
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        schedule: { type: 'string', default: publishedPath },
        random: { type: 'string' },
        seed: { type: 'string', default: '1' },
        even: { type: 'boolean', default: false },
        workers: { type: 'string', default: '1' },
        plot: { type: 'string' },
        compare: { type: 'string' },
        json: { type: 'boolean', default: false },
        report: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' }
      }
    })
    if (values.help === true) return undefined
    const whole = (name: string, text: string, max: number) => {
      const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN
      if (!(value >= 1 && value <= max)) throw new Error(`--${name} wants a whole number from 1 to ${max}`)
      return value
    }
    return {
      ...values,
      workers: whole('workers', values.workers, 64),
      seed: whole('seed', values.seed, 999_999_999),
      random: values.random === undefined ? undefined : whole('random', values.random, 100_000)
    }
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`, { cause: error })
  }
}

function scheduleOf(path: string): Schedule {
  try {
    return readSchedule(path)
  } catch (error) {
    throw new UsageError(`${path}: ${(error as Error).message}`, { cause: error })
  }
}

function realRunOf(path: string) {
  try {
    return parseRealRun(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    throw new UsageError(`${path}: ${(error as Error).message}`, { cause: error })
  }
}

try {
  process.exitCode = main()
} catch (error) {
  if (!(error instanceof UsageError || error instanceof ConfigError)) throw error
  console.error(`simulate: ${error.message}`)
  process.exitCode = 2
}
