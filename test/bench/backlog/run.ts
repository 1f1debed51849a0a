// npm run bench:backlog: accepting while a backlog drains, and what the backlog costs.
import { shown } from '../../k6/command-line.ts'
import { EXIT_CODES, resultsPath, runCommand } from '../command.ts'
import { readBacklogSettings } from './arguments.ts'
import { measureBacklog } from './measure.ts'
import { renderBacklog } from './report.ts'

const usage = `npm run bench:backlog: accepting while a backlog drains, and what the backlog costs.

  npm run bench:backlog                            3 rounds with 100,000 payments queued and 500/s arriving
  npm run bench:backlog -- --payments 1000000 --runs 1 --restart    a million, and Redis restarted with all of them
  npm run bench:backlog -- --payments N            from 1,000 to 1,900,000
  npm run bench:backlog -- --rate R                arriving payments a second, from 200 to 5,000 (default 500)
  npm run bench:backlog -- --seconds S             how long without a backlog, from 1 to 600 (default 15)
  npm run bench:backlog -- --runs N                rounds, by turns without and with a backlog (default 3)
  npm run bench:backlog -- --restart               ends Redis with the full queue by SIGTERM and by SIGKILL, and starts it again
  npm run --silent bench:backlog -- --json         one line of JSON on stdout instead of tables

A round: load at the rate on the empty system. Then both processors fail, the queue is filled through the function that the gateways
call, the load begins, both processors are well again, and the worker does what it does after any outage; the figures end when no
more is queued than arrives in 0.1 s. After each half the books are compared: no figure unless they are equal.
Progress is on stderr. The result is also one line of JSON in ${shown(resultsPath('backlog'))}.

p50, p99     from when a request was due until its answer
bytes        what Redis's used memory grew by, queue and ids, divided by the payments
MB of pages  anonymous pages of Redis, and those copied for a rewrite of its log, the most in a sample every 250 ms

${EXIT_CODES}`

await runCommand({
  name: 'backlog',
  usage,
  readSettings: readBacklogSettings,
  measure: measureBacklog,
  render: renderBacklog
})
