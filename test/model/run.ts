// npm run model: looks for an order of events in which the guarantees do not hold.
import { parseArgs } from 'node:util'
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

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      steps: { type: 'string', default: '100000' },
      seed: { type: 'string', default: process.env.SEED ?? '1' },
      'shrink-seconds': { type: 'string', default: '60' }
    }
  })
  if (values.help === true) {
    console.log(usage)
    return true
  }
  const [seed, stepCountMin] = [wholeNumber('--seed', values.seed), wholeNumber('--steps', values.steps)]
  const shrinkMaxMs = wholeNumber('--shrink-seconds', values['shrink-seconds']) * 1_000
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
    const { stepCount, runCount, failure } = await check(owner.own, { seed, stepCountMin, shrinkMaxMs, onProgress })
    if (failure) console.log(describeFailure(failure))
    else
      console.log(`${stepCount} steps in ${runCount} runs, ${perSecond(stepCount)}/s, seed ${seed}: nothing is broken`)
    return failure === undefined
  } finally {
    await owner.release()
  }
}

function wholeNumber(what: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${what} must be a whole number, not ${JSON.stringify(text)}`)
  return Number(text)
}

try {
  process.exitCode = (await main()) ? 0 : 1
} catch (error) {
  console.error(`npm run model: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 2
}
