// npm run faults: many seeds of random faults, each against a stack of its own, with the figures.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { runSeed, type RunReport } from './random-run.ts'
import { describeSeed, describeTotals } from './report.ts'

const usage = `npm run faults: kills, pauses, breaks and starves every part of the pipeline under load, then compares the books.

  npm run faults -- [options]

  --seeds N        how many runs, each with a plan of its own (20)
  --first-seed N   the first of them; the others follow (1)
  --payments N     at least so many payments a run (5000)
  --faults N       so many faults a run, of which single lost commands may find no occasion (14)
  --rate N         new payments a second (300)
  --json FILE      writes the raw figures there
  --verbose        tells of each fault when it happens

SEED=N in the environment replays one seed: the same payments, and the same faults at the same times.
Exit code 1 if a run fails; its logs and data are kept.`

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      verbose: { type: 'boolean' },
      json: { type: 'string' },
      seeds: { type: 'string', default: '20' },
      'first-seed': { type: 'string', default: '1' },
      payments: { type: 'string', default: '5000' },
      faults: { type: 'string', default: '14' },
      rate: { type: 'string', default: '300' }
    }
  })
  if (values.help === true) {
    console.log(usage)
    return true
  }
  const replayed = process.env.SEED
  const first = wholeNumber('first seed', replayed ?? values['first-seed'])
  const count = replayed === undefined ? wholeNumber('number of seeds', values.seeds) : 1
  const options = {
    payments: wholeNumber('number of payments', values.payments),
    faults: wholeNumber('number of faults', values.faults),
    rate: wholeNumber('rate', values.rate)
  }

  const words = Object.entries(options)
    .map(([name, value]) => `--${name} ${value}`)
    .join(' ')
  const reports: RunReport[] = []
  for (let seed = first; seed < first + count; seed++) {
    console.log(`seed ${seed} (${reports.length + 1} of ${count}) …`)
    const report = await runSeed({
      seed,
      ...options,
      onFault: text => {
        if (values.verbose === true) console.log(`  ${text}`)
      }
    })
    reports.push(report)
    console.log(describeSeed(report, words))
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ options, reports }, null, 1)}\n`)
  }
  console.log(describeTotals(reports))
  return reports.every(({ failure }) => failure === undefined)
}

function wholeNumber(what: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`the ${what} must be a whole number, not ${JSON.stringify(text)}`)
  return Number(text)
}

try {
  // A run that got stuck may still be waiting for something.
  process.exit((await main()) ? 0 : 1)
} catch (error) {
  console.error(`npm run faults: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(2)
}
