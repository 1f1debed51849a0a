// The model of a payment processor as a process; compose/local starts two of them, and so do tests.
import {
  address,
  ConfigError,
  describeVariables,
  integer,
  oneOf,
  optionalText,
  readConfig,
  type Variable
} from '../../../shared/environment.ts'
import { startServer } from './server.ts'

/** A share with up to four decimals, as hundredths of a percent. */
const fee: Variable<number> = {
  name: 'FEE',
  about: 'The share of each payment that the processor keeps.',
  default: '0.05',
  wants: 'a decimal from 0 to 1 with at most four decimals',
  parse: text => (/^(0(\.\d{1,4})?|1)$/.test(text) ? Math.round(Number(text) * 10_000) : undefined)
}

const VARIABLES = {
  listen: address('LISTEN', { default: '127.0.0.1:8001', about: 'Where to listen; port 0 takes a free one.' }),
  feeBasisPoints: fee,
  token: optionalText('TOKEN', {
    wants: 'a text without spaces',
    pattern: /^\S+$/,
    about: 'The first X-Rinha-Token; 123 when unset.'
  }),
  journalPath: optionalText('JOURNAL', {
    wants: 'a path',
    pattern: /^./,
    about: 'A file that keeps the bookings across restarts, SIGKILL included.'
  }),
  runningMax: integer('RUNNING_MAX', {
    default: 800,
    min: 1,
    max: 1_000_000,
    unit: 'requests',
    about: 'Payments under way at the same time.'
  }),
  queuedMax: integer('QUEUED_MAX', {
    default: 500,
    min: 0,
    max: 1_000_000,
    unit: 'requests',
    about: 'Payments that wait for a place; the next gets 429.'
  }),
  healthWindowMs: integer('HEALTH_WINDOW_MS', {
    default: 5_000,
    min: 1,
    max: 3_600_000,
    unit: 'ms',
    about: 'Each window of this length answers one health call.'
  }),
  front: oneOf('FRONT', ['off', 'on'], {
    default: 'off',
    about: 'A relay that lets the fault "reset" send a TCP reset instead of a close.'
  })
}

if (process.argv.includes('--help')) {
  console.log(
    'processor model: a payment processor with everything unpleasant about it, for tests and benchmarks\n\n' +
      `Environment:\n${describeVariables(VARIABLES)}\n\nIts faults: see faults.ts`
  )
} else {
  await main()
}

async function main(): Promise<void> {
  try {
    const { listen, token, front, ...config } = readConfig(VARIABLES, process.env)
    if (listen.kind !== 'tcp') throw new ConfigError('LISTEN must be HOST:PORT')
    const { host, port } = listen
    const server = await startServer({ ...config, host, port, token: token ?? '123', hasFront: front === 'on' })
    const stop = () => {
      server.close()
      process.exit(0)
    }
    process.on('SIGTERM', stop).on('SIGINT', stop)
    console.log(
      JSON.stringify({
        msg: 'ready',
        port: server.port,
        fee: config.feeBasisPoints / 10_000,
        bookings: server.processor.bookings
      })
    )
  } catch (error) {
    console.error(`processor model can't start:\n${error instanceof Error ? error.message : String(error)}`)
    process.exit(error instanceof ConfigError ? 2 : 1)
  }
}
