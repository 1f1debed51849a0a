// npm run contest:compose: the contest against the containers, under their limits.
import { runCommand, say, shown, wholeNumber } from '../support/command.ts'
import { CONTEST_OPTIONS, contestSettings, readSchedule, type ContestSettings } from '../support/contest/arguments.ts'
import { ensureK6, K6_VERSION } from '../support/contest/find-k6.ts'
import { describeDrain, isFine, runOnce, type Run } from '../support/contest/run.ts'
import { renderScore } from '../support/contest/score-table.ts'
import { ensureBaseImages } from '../support/engine/base-images.ts'
import { deploy } from '../support/engine/deployment.ts'
import { openEngine, type Engine } from '../support/engine/engine.ts'
import { provenance, resultsPath, saveLine } from '../support/results.ts'
import { renderRuns, renderUsage } from './report.ts'
import { watch, type Usage } from './watch.ts'

const RESULTS = 'contest-compose.jsonl'
const FAILED_RUN_LOG = 'last-failed-run.log'

const usage = `npm run contest:compose: the contest against compose/docker-compose.yml, under its limits of 1.5 CPU and 350 MB.

  npm run contest:compose                       one run: builds, starts, runs the published schedule, takes all down
  npm run contest:compose -- --runs N           N runs, each from nothing, and their medians
  npm run contest:compose -- --schedule FILE    another schedule; test/k6/schedules/published.json shows the form
  npm run contest:compose -- --drain SECONDS    how long it waits for payments that are left over (default: 30)
  npm run --silent contest:compose -- --json    one line of JSON a run on stdout instead of tables

Each run is also one line of JSON in ${shown(resultsPath(RESULTS))}: score, commit, machine, and CPU time, throttled time and
peak memory of each container. What compose/docker-compose.yml reads from the environment works here as well, e.g.
APPENDFSYNC=no. Names, network and ports are its own, so that nothing else that runs is touched.

It uses the container engine that runs. Without one, as root on Debian, it installs and starts one for the time of the run.
k6 comes from PATH or .cache/bin; if it is in neither, Go builds ${K6_VERSION} into .cache/bin.

Exit codes
  0    in each run every request succeeded, no inconsistency, everything accepted was settled, no container was killed
  1    something of that was not so; the score is printed all the same
  2    no run could take place: arguments, schedule, k6 or engine
  130  stopped by Ctrl-C`

type ComposeRun = Run & { usages: Usage[] | undefined }

await runCommand({
  name: 'contest:compose',
  usage,
  options: { ...CONTEST_OPTIONS, runs: { type: 'string', default: '1' } },
  readSettings: values => ({ ...contestSettings(values), runCount: wholeNumber('--runs', values.runs, 1, 99) }),
  async run(settings, stopping) {
    readSchedule(settings.schedulePath)
    const signal = stopping()
    const k6 = await ensureK6(signal)
    const engine = await openEngine(signal)
    try {
      say(engine.description)
      await ensureBaseImages(engine, signal)
      const runs: ComposeRun[] = []
      for (let number = 1; number <= settings.runCount; number++) {
        if (settings.runCount > 1) say(`\nRun ${number} of ${settings.runCount}`)
        const run = await runDeployed(engine, k6, settings, signal)
        runs.push(run)
        report(run, settings, engine)
      }
      if (runs.length > 1 && !settings.wantsJson) console.log(`\n${renderRuns(runs)}`)
      return runs.every(isFineRun) ? 0 : 1
    } finally {
      await engine.close()
    }
  }
})

async function runDeployed(
  engine: Engine,
  k6: string,
  settings: ContestSettings,
  signal: AbortSignal
): Promise<ComposeRun> {
  const deployment = await deploy(engine, { PURGE: 'open' }, signal)
  try {
    const endWatch = await watch(deployment)
    if (endWatch === undefined)
      say('The kernel counts of the containers are out of reach here: no CPU and memory figures.')
    const target = { backendUrl: deployment.url, processorUrls: deployment.processorUrls, token: '123' }
    const run = { ...(await runOnce(k6, settings, target, signal)), usages: await endWatch?.() }
    if (!isFineRun(run)) {
      saveLine(FAILED_RUN_LOG, `${new Date().toISOString()}\n${await deployment.logs()}`)
      say(`The logs of the containers are in ${shown(resultsPath(FAILED_RUN_LOG))}`)
    }
    return run
  } finally {
    say('taking everything down')
    await deployment.down()
  }
}

function report(run: ComposeRun, { schedulePath, wantsJson }: ContestSettings, engine: Engine): void {
  const { result, drained, usages } = run
  const line = JSON.stringify({
    ...result,
    ...drained,
    usages,
    schedule: shown(schedulePath),
    engine: engine.description,
    ...provenance(),
    at: new Date().toISOString()
  })
  saveLine(RESULTS, line)
  const parts = [renderScore(result), describeDrain(run), ...(usages === undefined ? [] : [renderUsage(usages)])]
  console.log(wantsJson ? line : `\n${parts.join('\n\n')}`)
}

function isFineRun(run: ComposeRun): boolean {
  return isFine(run) && (run.usages ?? []).every(({ oomKills, restarts }) => oomKills === 0 && restarts === 0)
}
