// npm run faults: many seeds of random faults, each against a stack of its own, with the figures.
import { writeFileSync } from 'node:fs'
import { runCommand, wholeNumber } from '../support/command.ts'
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

const NUMBER_MAX = 999_999_999

await runCommand({
  name: 'faults',
  usage,
  options: {
    verbose: { type: 'boolean', default: false },
    json: { type: 'string' },
    seeds: { type: 'string', default: '20' },
    'first-seed': { type: 'string', default: '1' },
    payments: { type: 'string', default: '5000' },
    faults: { type: 'string', default: '14' },
    rate: { type: 'string', default: '300' }
  },
  readSettings(values) {
    const number = (name: string, text: string) => wholeNumber(name, text, 0, NUMBER_MAX)
    const replayed = process.env.SEED
    return {
      first: replayed === undefined ? number('--first-seed', values['first-seed']) : number('SEED', replayed),
      count: replayed === undefined ? number('--seeds', values.seeds) : 1,
      options: {
        payments: number('--payments', values.payments),
        faults: number('--faults', values.faults),
        rate: number('--rate', values.rate)
      },
      isVerbose: values.verbose,
      jsonPath: values.json
    }
  },
  async run({ first, count, options, isVerbose, jsonPath }) {
    const words = Object.entries(options)
      .map(([name, value]) => `--${name} ${value}`)
      .join(' ')
    const reports: RunReport[] = []
    for (let seed = first; seed < first + count; seed++) {
      console.log(`seed ${seed} (${reports.length + 1} of ${count}) …`)
      const onFault = (text: string) => {
        if (isVerbose) console.log(`  ${text}`)
      }
      const report = await runSeed({ seed, ...options, onFault })
      reports.push(report)
      console.log(describeSeed(report, words))
      if (jsonPath !== undefined) writeFileSync(jsonPath, `${JSON.stringify({ options, reports }, null, 1)}\n`)
    }
    console.log(describeTotals(reports))
    // A run that got stuck may still be waiting for something.
    process.exit(reports.every(({ failure }) => failure === undefined) ? 0 : 1)
  }
})
