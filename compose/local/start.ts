// npm start: the whole system in one terminal, until Ctrl-C.
import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { createKeys } from '../../shared/keys.ts'
import { ConfigError } from '../../shared/environment.ts'
import { retiredIn } from '../../shared/variables.ts'
import { lockInstance } from './instance-lock.ts'
import { followLog, lastLogLines } from './log-file.ts'
import { describeExit } from './part.ts'
import { isPortFree } from './ports.ts'
import { describeStart, MODEL_PORTS, readStartSettings, type StartSettings } from './start-settings.ts'
import { startStack, type Stack } from './stack.ts'
import { warningIn } from './warnings.ts'

// Ctrl-C can reach us twice: from the terminal, and from npm, which hands it on.
const SAME_SIGNAL_WITHIN_MS = 400

async function main(): Promise<number> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    console.log(describeStart())
    return 0
  }
  // The terminal may be gone (SIGHUP); that must not keep us from stopping the parts.
  process.stdout.on('error', () => undefined)
  process.stderr.on('error', () => undefined)

  for (const sentence of retiredIn(process.env)) console.error(sentence)
  const settings = readStartSettings(process.env)
  mkdirSync(settings.directory, { recursive: true })
  const unlock = lockInstance(join(settings.directory, 'npm-start.pid'))
  try {
    await assertPortsFree(settings)
    return await run(settings)
  } finally {
    unlock()
  }
}

async function run(settings: StartSettings): Promise<number> {
  const wanted = new AbortController()
  const { promise: stopRequested, resolve: requestStop } = Promise.withResolvers<undefined>()
  let onSecondSignal = (): void => process.exit(130)
  let firstSignalMs: number | undefined
  const onSignal = () => {
    if (firstSignalMs === undefined) {
      firstSignalMs = performance.now()
      wanted.abort(new Error('stopped by a signal'))
      requestStop(undefined)
    } else if (performance.now() - firstSignalMs > SAME_SIGNAL_WITHIN_MS) {
      onSecondSignal()
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)

  console.log(`Starting on http://localhost:${settings.port} …`)
  let stack: Stack
  try {
    stack = await startStack({
      ...settings,
      processorPorts: MODEL_PORTS,
      signal: wanted.signal,
      onReady: name => console.log(`  ${name}`)
    })
  } catch (error) {
    if (wanted.signal.aborted) return 0
    throw error
  }
  onSecondSignal = () => {
    void stack.kill().finally(() => process.exit(130))
  }

  console.log(describeUse(settings, stack))
  const stopEcho = echoWarnings(stack)
  const crash = await Promise.race([stack.crashed, stopRequested])
  stopEcho()
  if (crash !== undefined) {
    const { name, logPath } = stack.part(crash.part)
    console.error(`\n${name} ended on its own (${describeExit(crash)}), so everything is stopped.`)
    console.error(`The end of ${shown(logPath)}:`)
    for (const line of lastLogLines(logPath, 15)) console.error(`  ${line}`)
  }
  console.log('\nStopping … (Ctrl-C again to kill)')
  for (const [name, exit] of await stack.stop(settings.graceMs)) {
    const wasKilled = exit.signal === 'SIGKILL' && name !== crash?.part
    if (wasKilled) console.error(`  ${name} did not end within ${settings.graceMs} ms and was killed`)
  }
  console.log('Stopped.')
  return crash === undefined ? 0 : 1
}

async function assertPortsFree({ port, processors }: StartSettings): Promise<void> {
  if (!(await isPortFree(port))) {
    throw new ConfigError(`port ${port} is taken or not permitted: free it, or move it, e.g. PORT=9998 npm start`)
  }
  if (processors !== undefined) return
  for (const modelPort of Object.values(MODEL_PORTS)) {
    if (await isPortFree(modelPort)) continue
    throw new ConfigError(
      `port ${modelPort}, where a model of a processor listens, is taken or not permitted: ` +
        'free it, or, if the processors run already, name them, e.g.\n  ' +
        'DEFAULT_PROCESSOR_URL=http://127.0.0.1:8001 FALLBACK_PROCESSOR_URL=http://127.0.0.1:8002 npm start'
    )
  }
}

function echoWarnings(stack: Stack): () => void {
  const ends = [...stack.parts.values()].map(({ name, logPath }) =>
    followLog(logPath, 200, line => {
      const warning = warningIn(line)
      if (warning !== undefined) console.log(`${name}  ${warning}`)
    })
  )
  return () => {
    for (const end of ends) end()
  }
}

function describeUse({ port, directory }: StartSettings, stack: Stack): string {
  const keys = createKeys()
  const redisCli = `redis-cli -s ${shown(stack.redisPath)}`
  return `
Ready. Look at http://localhost:${port}/dashboard, and try this in another terminal:
  curl -i http://localhost:${port}/payments -H 'Content-Type: application/json' \\
    -d '{"correlationId":"${randomUUID()}","amount":19.90}'
  curl http://localhost:${port}/payments-summary
  curl http://localhost:${port}/status
  ${redisCli} XLEN '${keys.queue}'
  ${redisCli} HGETALL '${keys.totals('default', 'cents', '')}'
  ${redisCli} GET '${keys.preferredProcessor}'
The logs are in ${shown(join(directory, 'logs'))}/, warnings and errors appear here. Ctrl-C stops everything.
`
}

/** A path as short as it can be typed here. */
function shown(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`\nnpm start: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = error instanceof ConfigError ? 2 : 1
}
