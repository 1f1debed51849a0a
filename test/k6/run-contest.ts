// npm run contest: one run of the contest, from nothing to a score.
import { runCommand, shown } from '../support/command.ts'
import { CONTEST_OPTIONS, contestSettings, readSchedule } from '../support/contest/arguments.ts'
import { ensureK6, K6_VERSION } from '../support/contest/find-k6.ts'
import { describeDrain, isFine, runOnce } from '../support/contest/run.ts'
import { renderScore } from '../support/contest/score-table.ts'
import { provenance } from '../support/results.ts'
import { openTarget } from './target.ts'

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

await runCommand({
  name: 'contest',
  usage,
  options: CONTEST_OPTIONS,
  readSettings: contestSettings,
  async run(settings, stopping) {
    readSchedule(settings.schedulePath)
    const signal = stopping()
    const k6 = await ensureK6(signal)
    const target = await openTarget(process.env, signal)
    try {
      const run = await Promise.race([runOnce(k6, settings, target, signal), target.broken])
      const schedule = shown(settings.schedulePath)
      if (settings.wantsJson) console.log(JSON.stringify({ ...run.result, ...run.drained, schedule, ...provenance() }))
      else console.log(`\n${renderScore(run.result)}\n\n${describeDrain(run)}`)
      return isFine(run) ? 0 : 1
    } finally {
      await target.stop()
    }
  }
})
