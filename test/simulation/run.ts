// npm run simulate: what the routing policy earns, thousands of times faster than real time.
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { SingleBar } from 'cli-progress'
import { ROUTING_VARIABLES, routingParametersOf } from '../../processor-worker/routing-parameters.ts'
import { describeVariables, readConfig } from '../../shared/environment.ts'
import { CannotRunError, runCommand, wholeNumber } from '../support/command.ts'
import { PUBLISHED_SCHEDULE, readSchedule } from '../support/contest/arguments.ts'
import type { Schedule } from '../support/contest/schedule.ts'
import { compare, parseRealRun, TOLERANCE, type RealRun } from './compare.ts'
import { POLICIES } from './policies.ts'
import { DEFAULTS, insertReport, plotSchedule, renderReport, REPORT_RUNS } from './report.ts'
import { simulate, type RunResult, type SimulationOptions } from './simulate.ts'
import { simulateMany, type RandomSet, type Statistics } from './statistics.ts'
import { renderRuns, renderStatistics } from './tables.ts'

const root = join(import.meta.dirname, '../..')
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

type Settings = {
  schedule: string
  /** How many random schedules, if any. */
  random: number | undefined
  seed: number
  even: boolean
  workers: number
  plot: string | undefined
  compare: string | undefined
  json: boolean
  report: boolean
}

await runCommand({
  name: 'simulate',
  usage,
  options: {
    schedule: { type: 'string', default: PUBLISHED_SCHEDULE },
    random: { type: 'string' },
    seed: { type: 'string', default: '1' },
    even: { type: 'boolean', default: false },
    workers: { type: 'string', default: '1' },
    plot: { type: 'string' },
    compare: { type: 'string' },
    json: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false }
  },
  readSettings: (values): Settings => ({
    ...values,
    plot: values.plot,
    compare: values.compare,
    workers: wholeNumber('--workers', values.workers, 1, 64),
    seed: wholeNumber('--seed', values.seed, 1, 999_999_999),
    random: values.random === undefined ? undefined : wholeNumber('--random', values.random, 1, 100_000)
  }),
  run(settings) {
    const parameters = routingParametersOf(readConfig(ROUTING_VARIABLES, process.env))
    if (settings.report) {
      report()
      return 0
    }
    const { workers: workerCount } = settings
    const given = {
      parameters: { ...parameters, inFlightMax: Math.ceil(parameters.inFlightMax / workerCount) },
      workerCount
    }
    if (settings.random === undefined) return simulateOne(settings, given)
    simulateRandom({ ...settings, random: settings.random }, given)
    return 0
  }
})

type Given = Pick<SimulationOptions, 'parameters' | 'workerCount'>

function simulateRandom({ seed, random, even, json }: Settings & { random: number }, given: Given): void {
  const set: RandomSet = { seed, count: random, family: even ? 'even' : 'plausible' }
  const policies = chosenPolicies(json)
  const rows = withProgress(set.count * policies.length, onRun =>
    policies.map(([name, policy]): [string, Statistics] => [name, simulateMany(set, { policy, ...given }, onRun)])
  )
  console.log(json ? JSON.stringify({ ...set, ...rows[0]?.[1] }) : renderStatistics(rows))
}

/** Returns the exit code. */
function simulateOne({ schedule: path, plot, compare: realPath, json }: Settings, given: Given): number {
  const schedule = readSchedule(path)
  const runs = chosenPolicies(json).map(([name, policy]): [string, RunResult] => [
    name,
    simulate(schedule, { policy, ...given })
  ])
  const ours = runs[0]?.[1]
  if (ours === undefined) throw new Error('there is no policy')
  if (plot !== undefined)
    writeFileSync(
      plot,
      plotSchedule(basename(path), schedule, routingParametersOf(readConfig(ROUTING_VARIABLES, process.env)))
    )
  if (realPath !== undefined) {
    const { differences, table } = compare(ours, readRealRun(realPath))
    console.log(table)
    return Math.max(...differences) <= TOLERANCE ? 0 : 1
  }
  console.log(json ? JSON.stringify(ours) : renderRuns(runs))
  return 0
}

/** JSON is of this policy alone. */
function chosenPolicies(isJson: boolean) {
  return Object.entries(POLICIES).slice(0, isJson ? 1 : undefined)
}

function report(): void {
  const published = readSchedule(PUBLISHED_SCHEDULE)
  const text = withProgress(REPORT_RUNS, onRun => renderReport(published, onRun))
  writeFileSync(pagePath, insertReport(readFileSync(pagePath, 'utf8'), text))
  writeFileSync(plotPath, plotSchedule('the published schedule', published, DEFAULTS))
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

function readRealRun(path: string): RealRun {
  try {
    return parseRealRun(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    throw new CannotRunError(`${path}: ${(error as Error).message}`, { cause: error })
  }
}
