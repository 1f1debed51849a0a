// npm run top: the state of a running system in a terminal.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ConfigError } from '../../shared/environment.ts'
import { askForStatus, parseAddress, type Address } from './top/ask.ts'
import { fitted } from './top/layout.ts'
import { renderView } from './top/render.ts'
import { openScreen } from './top/screen.ts'
import { inOneLine } from './top/status-json.ts'
import { answered, emptyView, failed } from './top/view.ts'

const USAGE = `npm run top: what GET /status tells, in a table that is new every second; problems first.

  npm run top -- [ADDRESS] [--once] [--json]

  ADDRESS    9998, host:9998, http://host:9998, or unix:/path/of/gateway-1.sock, which asks a gateway past HAProxy;
             default: http://localhost:9999, or the port in PORT
  --once     one table and the end; so it is as well where the output is no terminal
  --json     the JSON of GET /status in one line, once

q or Ctrl-C ends it. With NO_COLOR set it has no colours.

Exit codes of --once: 0 all is well, 1 there are problems, 2 the system could not be reached. Without it: 0, 2 for a wrong command line.`

const EVERY_MS = 1_000
/** Of a table that goes to a file or another program. */
const PLAIN_COLUMNS = 100

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { once: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true
  })
  if (values.help === true) {
    console.log(USAGE)
    return 0
  }
  const [text = `http://localhost:${process.env.PORT ?? '9999'}`, ...more] = positionals
  const address = parseAddress(text)
  if (address === undefined || more.length > 0)
    throw new ConfigError(`${positionals.join(' ') || text} is no address; see npm run top -- --help`)
  if (values.json === true || values.once === true || !process.stdout.isTTY)
    return await showOnce(address, values.json === true)
  return await showUntilQuit(address)
}

async function showOnce(address: Address, asJson: boolean): Promise<number> {
  const answer = await askForStatus(address)
  if ('trouble' in answer) throw new Error(answer.trouble)
  const { status, body } = answer
  // A terminal's window, or the lines of a file.
  const columns = process.stdout.isTTY ? process.stdout.columns : PLAIN_COLUMNS
  const lines = fitted(renderView(answered(emptyView(address.shown), status), columns), { columns, rows: Infinity })
  console.log(asJson ? inOneLine(body) : lines.map(({ text }) => text).join('\n'))
  return status.problems.length === 0 ? 0 : 1
}

async function showUntilQuit(address: Address): Promise<never> {
  let view = emptyView(address.shown)
  const draw = () => screen.draw(renderView(view, screen.columns()))
  const screen = openScreen(
    process.stdin,
    process.stdout,
    (process.env.NO_COLOR ?? '') === '',
    () => process.exit(0),
    draw
  )
  while (true) {
    const untilNext = sleep(EVERY_MS)
    const answer = await askForStatus(address)
    view = 'trouble' in answer ? failed(view, answer.trouble, new Date().toISOString()) : answered(view, answer.status)
    draw()
    await untilNext
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`top: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 2
}
