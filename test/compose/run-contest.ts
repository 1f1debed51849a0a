// npm run contest:compose: the contest against the containers, under their limits.
import { appendFileSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { abortOnSignals, assertSchedule, drainMsOf, PUBLISHED_SCHEDULE, shown, UsageError } from '../k6/command-line.ts'
import { ensureK6, K6_VERSION, NoK6Error } from '../k6/find-k6.ts'
import { describeDrain, isFine, runOnce, type Run } from '../k6/one-run.ts'
import { provenance } from '../k6/provenance.ts'
import { renderTable as renderScore } from '../k6/report.ts'
import { ensureBaseImages } from '../support/engine/base-images.ts'
import { deploy, type Deployment } from '../support/engine/deployment.ts'
import { NoEngineError, openEngine, type Engine } from '../support/engine/engine.ts'
import { renderRuns, renderUsage } from './report.ts'
import { watch, type Usage } from './watch.ts'

const RESULTS_PATH = resolve(import.meta.dirname, '../../.results/contest-compose.jsonl')

const usage = `npm run contest:compose: the contest against compose/docker-compose.yml, under its limits of 1.5 CPU and 350 MB.

  npm run contest:compose                       one run: builds, starts, runs the published schedule, takes all down
  npm run contest:compose -- --runs N           N runs, each from nothing, and their medians
  npm run contest:compose -- --schedule FILE    another schedule; test/k6/schedules/published.json shows the form
  npm run contest:compose -- --drain SECONDS    how long it waits for payments that are left over (default: 30)
  npm run --silent contest:compose -- --json    one line of JSON a run on stdout instead of tables

Each run is also one line of JSON in ${shown(RESULTS_PATH)}: score, commit, machine, and CPU time, throttled time and
peak memory of each container. What compose/docker-compose.yml reads from the environment works here as well, e.g.
APPENDFSYNC=no. Names, network and ports are its own, so that nothing else that runs is touched.

It uses the container engine that runs. Without one, as root on Debian, it installs and starts one for the time of the run.
k6 comes from PATH or .cache/bin; if it is in neither, Go builds ${K6_VERSION} into .cache/bin.

Exit codes
  0    in each run every request succeeded, no inconsistency, everything accepted was settled, no container was killed
  1    something of that was not so; the score is printed all the same
  2    no run could take place: arguments, schedule, k6 or engine
  130  stopped by Ctrl-C`

type Settings = { schedulePath: string; drainMaxMs: number; runCount: number; wantsJson: boolean }
type ComposeRun = Run & { usages: Usage[] | undefined }

const say = (line: string) => {
  console.error(line)
}

async function main(): Promise<number> {
  const settings = readArguments()
  if (settings === undefined) {
    console.log(usage)
    return 0
  }
  assertSchedule(settings.schedulePath)

  const signal = abortOnSignals()
  let engine: Engine | undefined
  try {
    const k6 = await ensureK6(signal)
    engine = await openEngine(signal)
    say(engine.description)
    await ensureBaseImages(engine, say, signal)
    const runs: ComposeRun[] = []
    for (let number = 1; number <= settings.runCount; number++) {
      if (settings.runCount > 1) say(`\nRun ${number} of ${settings.runCount}`)
      const run = await runDeployed(engine, k6, settings, signal)
      runs.push(run)
      report(run, settings, engine)
    }
    if (runs.length > 1 && !settings.wantsJson) console.log(`\n${renderRuns(runs)}`)
    return runs.every(isFineRun) ? 0 : 1
  } catch (error) {
    if (!signal.aborted) throw error
    say('Stopped.')
    return 130
  } finally {
    await engine?.close()
  }
}

async function runDeployed(engine: Engine, k6: string, settings: Settings, signal: AbortSignal): Promise<ComposeRun> {
  const deployment = await deploy(engine, { PURGE: 'open' }, say, signal)
  try {
    const endWatch = await watch(deployment)
    if (endWatch === undefined)
      say('The kernel counts of the containers are out of reach here: no CPU and memory figures.')
    const target = { backendUrl: deployment.url, processorUrls: deployment.processorUrls, token: '123' }
    const run = await runOnce(k6, settings.schedulePath, settings.drainMaxMs, target, signal)
    const usages = await endWatch?.()
    const composeRun = { ...run, usages }
    if (!isFineRun(composeRun)) await saveLogs(deployment)
    return composeRun
  } finally {
    say('taking everything down')
    await deployment.down()
  }
}

function report(run: ComposeRun, { schedulePath, wantsJson }: Settings, engine: Engine): void {
  const line = JSON.stringify({
    ...run.result,
    ...run.drained,
    usages: run.usages,
    schedule: shown(schedulePath),
    engine: engine.description,
    ...provenance(),
    at: new Date().toISOString()
  })
  mkdirSync(join(RESULTS_PATH, '..'), { recursive: true })
  appendFileSync(RESULTS_PATH, `${line}\n`)
  if (wantsJson) console.log(line)
  else
    console.log(
      `\n${renderScore(run.result)}\n\n${describeDrain(run)}${run.usages === undefined ? '' : `\n\n${renderUsage(run.usages)}`}`
    )
}

function isFineRun(run: ComposeRun): boolean {
  return isFine(run) && (run.usages ?? []).every(({ oomKills, restarts }) => oomKills === 0 && restarts === 0)
}

async function saveLogs(deployment: Deployment): Promise<void> {
  const path = join(RESULTS_PATH, '..', 'last-failed-run.log')
  mkdirSync(join(path, '..'), { recursive: true })
  appendFileSync(path, `${new Date().toISOString()}\n${await deployment.logs()}\n`)
  say(`The logs of the containers are in ${shown(path)}`)
}

function readArguments(): Settings | undefined {
  try {
    const { values } = parseArgs({
      options: {
        schedule: { type: 'string', default: PUBLISHED_SCHEDULE },
        drain: { type: 'string', default: '30' },
        runs: { type: 'string', default: '1' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' }
      }
    })
    if (values.help === true) return undefined
    if (!/^[1-9]\d?$/.test(values.runs)) throw new Error('--runs wants a number from 1 to 99')
    return {
      schedulePath: resolve(values.schedule),
      drainMaxMs: drainMsOf(values.drain),
      runCount: Number(values.runs),
      wantsJson: values.json
    }
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`, { cause: error })
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`\ncontest:compose: ${error instanceof Error ? error.message : String(error)}`)
  const couldNotRun = error instanceof UsageError || error instanceof NoK6Error || error instanceof NoEngineError
  process.exitCode = couldNotRun ? 2 : 1
}
