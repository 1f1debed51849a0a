// npm run model: looks for an order of events in which the guarantees do not hold.
import { runCommand, wholeNumber } from '../support/command.ts'
import { createOwner } from '../support/owner.ts'
import { check } from './check.ts'
import { describeFailure } from './describe.ts'

const usage = `npm run model: random steps of workers, gateways, operators, processors and clocks against the real functions in a real Redis, all
that must hold checked after each.

  npm run model -- [options]

  --steps N   at least so many steps (100000)
  --seed N    the first seed; each 20 runs have the next one (1)
  --shrink-seconds N   how long a failure is made shorter (60)

SEED=N in the environment is the same as --seed N: the same steps again.
Exit code 1 if a guarantee is broken: it prints the shortest list of steps found that breaks it; 2 for wrong arguments.`

const TELL_EVERY_MS = 5_000

const NUMBER_MAX = 999_999_999

await runCommand({
  name: 'model',
  usage,
  options: {
    steps: { type: 'string', default: '100000' },
    seed: { type: 'string', default: process.env.SEED ?? '1' },
    'shrink-seconds': { type: 'string', default: '60' }
  },
  readSettings: values => ({
    seed: wholeNumber('--seed', values.seed, 0, NUMBER_MAX),
    stepCountMin: wholeNumber('--steps', values.steps, 0, NUMBER_MAX),
    shrinkMaxMs: wholeNumber('--shrink-seconds', values['shrink-seconds'], 0, NUMBER_MAX) * 1_000
  }),
  async run(settings) {
    const { seed, stepCountMin } = settings
    const startedAtMs = performance.now()
    let toldAtMs = startedAtMs
    const perSecond = (stepCount: number) => Math.round((stepCount * 1_000) / (performance.now() - startedAtMs))
    const onProgress = (stepCount: number) => {
      if (performance.now() - toldAtMs < TELL_EVERY_MS) return
      toldAtMs = performance.now()
      console.log(`${stepCount} of ${stepCountMin} steps, ${perSecond(stepCount)}/s`)
    }
    const owner = createOwner()
    try {
      const { stepCount, runCount, failure } = await check(owner.own, { ...settings, onProgress })
      if (failure) console.log(describeFailure(failure))
      else
        console.log(
          `${stepCount} steps in ${runCount} runs, ${perSecond(stepCount)}/s, seed ${seed}: nothing is broken`
        )
      return failure === undefined ? 0 : 1
    } finally {
      await owner.release()
    }
  }
})
