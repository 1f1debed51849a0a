// npm run bench: what a payment costs at several rates, beside what a bare pipeline takes in the same run.
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { CannotRunError, defineCommand, isMain, runCommand, say, shown, wholeNumber } from '../support/command.ts'
import { provenance, resultsPath, saveLine } from '../support/results.ts'
import { measureBarePipeline } from './bare/pipeline.ts'
import { compareRuns } from './compare.ts'
import { startComposeSystem } from './compose-system.ts'
import { ensureLoad } from './find-load.ts'
import { measureRate, warmUp } from './measure-rate.ts'
import { renderChanges, renderRun, renderSpread } from './report.ts'
import { medianRun, serialise, totalOf, type RunResult } from './result.ts'
import { startLocalSystem } from './system.ts'

const RESULTS = 'bench.jsonl'
const RATE_MAX = 100_000

const usage = `npm run bench: open-loop load at several rates against the whole system, and what a payment costs whom.

  npm run bench                          the system as processes: 20 s each at 500, 2,000, 5,000, 10,000 and 20,000 payments/s
  npm run bench -- --compose             compose/docker-compose.yml under its limits of 1.5 CPU and 350 MB
  npm run bench -- --rates 500,5000      other rates, from 200 to 100,000
  npm run bench -- --seconds S           how long at each rate, from 1 to 600
  npm run bench -- --runs N              N runs, each with a new system, their medians and their spread
  npm run bench -- --compare FILE        and what changed since the runs in FILE, lines of JSON as they are in ${shown(resultsPath(RESULTS))}
  npm run bench -- --compare FILE --after FILE2   the same for runs in FILE2, without new ones: of two versions by turns
  npm run --silent bench -- --json       one line of JSON a run on stdout instead of tables

Each run measures a bare pipeline first, up to 10 s at each rate: HAProxy, uWebSockets.js, the least that Redis has to do, and undici,
which is what the machine takes at that rate for the least that this shape has to do. Then each rate: the system is emptied, loaded for a
second before the figures begin, and checked when everything is settled: no figure without equal books. Progress is on stderr. Each run is also one line of JSON in ${shown(resultsPath(RESULTS))}.

accept         from when a request was due, so no coordinated omission, until its answer; all requests that were due in the time
settle         from the 202 until GET /payments/{id} says settled; a sample of 5 to 25 payments a second, to 2 ms or 5 %
µs of CPU      the operating system's count for each service, from the begin of the time until all is settled, for each payment settled
MB of memory   anonymous pages of processes, or what the kernel counts of a container less its cached files; at most at a time

--compare takes the lines of FILE that were made the same way, all as "before". A change counts when no run before and
--no run after
overlap and the medians differ by at least 3 % (settled/s), 5 % (µs), 10 % (memory) or 30 % (p99s); with fewer than 3 runs on
either side, whose spread nobody knows, by three times that.

The load tool is Fortio, as a library; Go 1.25 or later builds it once. --compose uses the container engine that runs.

Exit codes
  0    everything accepted was settled, the books are equal, and nothing is worse than in FILE beyond the noise
  1    something of that was not so, or a part ended by itself
  2    the run could not take place: arguments, FILE, Go or engine
  130  stopped by Ctrl-C`

/** Of warming up: enough for figures that repeat to a few percent. */
const WARM_UP = { ratePerSecond: 3_000, secondsMax: 4 }
const BARE_SECONDS_MAX = 10

export const BENCH = defineCommand({
  name: 'bench',
  usage,
  options: {
    rates: { type: 'string', default: '500,2000,5000,10000,20000' },
    seconds: { type: 'string', default: '20' },
    runs: { type: 'string', default: '1' },
    compose: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    compare: { type: 'string' },
    after: { type: 'string' }
  },
  readSettings(values): Settings {
    // Fewer than two payments on each connection of the load tool are no schedule.
    const rates = values.rates.split(',').map(text => wholeNumber('--rates', text, 200, RATE_MAX))
    if (new Set(rates).size < rates.length) throw new Error('--rates has a rate twice')
    if (values.after !== undefined && values.compare === undefined) throw new Error('--after wants --compare')
    return {
      rates,
      seconds: wholeNumber('--seconds', values.seconds, 1, 600),
      runCount: wholeNumber('--runs', values.runs, 1, 99),
      isCompose: values.compose,
      wantsJson: values.json,
      comparePath: values.compare === undefined ? undefined : resolve(values.compare),
      afterPath: values.after === undefined ? undefined : resolve(values.after)
    }
  },
  async run(settings, stopping) {
    const before = settings.comparePath === undefined ? [] : readRuns(settings.comparePath, settings)
    if (settings.afterPath !== undefined) return conclude(settings, before, readRuns(settings.afterPath, settings))
    const signal = stopping()
    const tool = await ensureLoad(signal)
    const runs: RunResult[] = []
    for (let number = 1; number <= settings.runCount; number += 1) {
      if (settings.runCount > 1) say(`\nRun ${number} of ${settings.runCount}`)
      const run = await runOnce(tool, settings, signal)
      runs.push(run)
      saveLine(RESULTS, serialise(run))
      if (settings.wantsJson) console.log(serialise(run))
      else if (settings.runCount === 1) console.log(`\n${renderRun(run, availableParallelism())}`)
    }
    return conclude(settings, before, runs)
  }
})

type Settings = {
  rates: number[]
  seconds: number
  runCount: number
  isCompose: boolean
  wantsJson: boolean
  comparePath: string | undefined
  /** Runs that were made before; undefined makes new ones. */
  afterPath: string | undefined
}

async function runOnce(tool: string, { rates, seconds, isCompose }: Settings, signal: AbortSignal): Promise<RunResult> {
  const warmUpRate = { ratePerSecond: WARM_UP.ratePerSecond, seconds: Math.min(seconds, WARM_UP.secondsMax) }
  say('measuring a bare pipeline at each rate')
  const bareSeconds = Math.min(seconds, BARE_SECONDS_MAX)
  const bareRates = rates.map(ratePerSecond => ({ ratePerSecond, seconds: bareSeconds }))
  const barePipeline = await measureBarePipeline(tool, [warmUpRate, ...bareRates], signal)
  for (const { rate, microsByService } of barePipeline)
    say(`  ${rate}/s: ${totalOf(microsByService).toFixed(1)} µs a payment`)

  say('starting the whole system')
  const system = await (isCompose ? startComposeSystem(signal) : startLocalSystem(signal))
  try {
    const { mode, platform } = system
    await warmUp(tool, system, warmUpRate, signal)
    const results: RunResult['rates'] = []
    for (const ratePerSecond of rates) {
      const result = await measureRate(tool, system, { ratePerSecond, seconds }, signal)
      results.push(result)
      say(
        `  ${ratePerSecond}/s: ${result.settledPerSecond.toFixed(0)} settled/s, accept p99 ${result.acceptP99Ms.toFixed(2)} ms, ` +
          `${result.cpuMicrosPerPayment.toFixed(1)} µs a payment`
      )
    }
    return { at: new Date().toISOString(), ...provenance(), mode, platform, seconds, barePipeline, rates: results }
  } finally {
    await system.stop()
  }
}

function conclude(settings: Settings, before: readonly RunResult[], runs: readonly RunResult[]): number {
  const [first, ...rest] = runs
  // With --json, stdout is for the lines alone.
  const print = settings.wantsJson ? say : console.log
  if (first !== undefined && rest.length > 0) {
    if (!settings.wantsJson)
      print(`\nMedians of ${runs.length} runs; ${renderRun(medianRun([first, ...rest]), availableParallelism())}`)
    print(`\nHow far the runs differ, (most − least) / median\n\n${renderSpread(runs)}`)
  }
  if (settings.comparePath === undefined) return 0
  const changes = compareRuns(before, runs)
  const worse = changes.filter(({ verdict }) => verdict === 'WORSE')
  const commits = [...new Set(before.map(({ commit }) => commit))].join(', ')
  print(
    `\nSince ${shown(settings.comparePath)}: ${before.length} runs of ${commits}; now ${runs.length} of ${first?.commit ?? ''}\n\n${renderChanges(changes)}`
  )
  print(
    worse.length === 0
      ? '\nNothing is worse beyond the noise.'
      : `\nWORSE: ${worse.map(({ rate, figure }) => `${figure} at ${rate}/s`).join(', ')}`
  )
  return worse.length === 0 ? 0 : 1
}

/** The runs to compare, of those in a file. @throws CannotRunError */
function readRuns(path: string, { isCompose, rates }: Settings): RunResult[] {
  let lines: RunResult[]
  try {
    const text = readFileSync(path, 'utf8').trim()
    // Lines of older versions have more, or no bare pipeline.
    lines = text
      .split('\n')
      .map(line => ({ barePipeline: [], ...(JSON.parse(line) as Partial<RunResult>) }) as RunResult)
  } catch (error) {
    throw new CannotRunError(`${shown(path)}: ${(error as Error).message}`, { cause: error })
  }
  const mode = isCompose ? 'compose' : 'local'
  const comparable = lines.filter(line => line.mode === mode && line.rates.some(({ rate }) => rates.includes(rate)))
  if (comparable.length === 0)
    throw new CannotRunError(`${shown(path)} has no run of mode ${mode} with one of the rates ${rates.join(', ')}`)
  return comparable
}

if (isMain(import.meta.filename)) await runCommand(BENCH)
