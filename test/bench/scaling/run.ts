// npm run bench:scaling: what more workers and gateways bring, which part has a whole core first, and what a rate
// needs.
import { writeFileSync } from 'node:fs'
import { shown } from '../../k6/command-line.ts'
import { EXIT_CODES, resultsPath, runCommand } from '../command.ts'
import { readScalingSettings } from './arguments.ts'
import { measureScaling } from './measure.ts'
import { plotScaling } from './plot.ts'
import { renderScaling } from './report.ts'

const usage = `npm run bench:scaling: what more workers and gateways bring, which part has a whole core first, and what a rate needs.

  npm run bench:scaling                            1, 2 and 4 workers with 2 and 4 gateways; takes about 6 minutes
  npm run bench:scaling -- --workers 1,2           other numbers of workers, from 1 to 16
  npm run bench:scaling -- --gateways 2            other numbers of gateways, from 1 to 4
  npm run bench:scaling -- --rate-max R            tries no higher rate, from 200 to 100,000 (default 50,000)
  npm run bench:scaling -- --seconds S             how long at each rate, from 1 to 600 (default 5)
  npm run bench:scaling -- --plot FILE.svg         and a plot, such as docs/scaling.svg
  npm run --silent bench:scaling -- --json         one line of JSON on stdout instead of tables

For each setup a new system: twice the rate as long as the queue does not grow, then between the last two until they are 10 % apart. After each
rate the books are compared: no figure unless they are equal. The load and the processor models share the machine, so what is reached says
more about the machine than about the pipeline; what a payment costs, by the operating system's count, does not.
Progress is on stderr. The result is also one line of JSON in ${shown(resultsPath('scaling'))}.

whole core   the rate at which one process would need all of a core, if a payment went on to cost what it cost when it was measured
sizing       cores at a rate by what a payment cost at that rate, or at the highest one reached where that is lower; gateways and workers
             such that none has more than 70 % of a core; ids for two periods of ID_RETENTION_HOURS at its default

${EXIT_CODES}`

await runCommand({
  name: 'scaling',
  usage,
  readSettings: readScalingSettings,
  render: renderScaling,
  async measure(settings, tools) {
    const figures = await measureScaling(settings, tools)
    if (settings.plotPath !== undefined)
      writeFileSync(settings.plotPath, plotScaling('What the parts of the pipeline carry', figures.setups))
    return figures
  }
})
