// npm run bench:summary: summaries over 30 days of payments, alone and under load, and what those payments take in
// Redis.
import { shown } from '../../k6/command-line.ts'
import { EXIT_CODES, resultsPath, runCommand } from '../command.ts'
import { readSummarySettings } from './arguments.ts'
import { measureSummary } from './measure.ts'
import { renderSummaryFigures } from './report.ts'

const usage = `npm run bench:summary: summaries over 30 days of payments, alone and under load, and what those payments take in Redis.

  npm run bench:summary                          10 million settled payments, 3 rounds; takes about 10 minutes, most of them to settle those
  npm run bench:summary -- --payments N          from 3,000 to 20,000,000
  npm run bench:summary -- --rate R              payments a second that are accepted meanwhile, from 200 to 5,000 (default 500)
  npm run bench:summary -- --seconds S           how long each part of a round takes, from 1 to 600 (default 20)
  npm run bench:summary -- --runs N              rounds, from 1 to 99 (default 3)
  npm run --silent bench:summary -- --json       one line of JSON on stdout instead of tables

The payments are spread evenly over the last 30 days, and settled through the functions that gateways and workers call; ids are
remembered of the last two days of them, as in a system that runs. A round: 100 summaries a second alone, payments alone, and both
together, by turns over all time, 30 days and 15 s that begin at an odd millisecond, and any two times. Each answer is compared with
sums that the benchmark keeps by itself, and at the end the books: no figure unless all are equal.
Progress is on stderr. The result is also one line of JSON in ${shown(resultsPath('summary'))}.

summaries    from when a question was sent until its answer; questions never wait for each other
accepting    from when a request was due until its answer
bytes        what Redis's used memory grew by; of the ids, what it shrinks by when they are deleted at the very end

${EXIT_CODES}`

await runCommand({
  name: 'summary',
  usage,
  readSettings: readSummarySettings,
  measure: measureSummary,
  render: renderSummaryFigures
})
