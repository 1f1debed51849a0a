// What `npm start` takes from the environment: a few settings of its own, and whatever the services document.
import { GATEWAY_RULES, GATEWAY_VARIABLES } from '../../gateway/variables.ts'
import { MONITOR_VARIABLES } from '../../health-monitor/variables.ts'
import { WORKER_VARIABLES } from '../../processor-worker/variables.ts'
import {
  ConfigError,
  describeVariables,
  integer,
  oneOf,
  optionalText,
  problemsIn,
  readConfig,
  type Variables
} from '../../shared/environment.ts'
import { SERVICE_VARIABLES } from '../../shared/variables.ts'
import type { Environment, Role } from './stack-options.ts'

/** Where the contest has its processors on the host; the models stand in for them. */
export const MODEL_PORTS = { default: 8001, fallback: 8002 }

/** In the order of their ports for metrics. */
const METERED_PARTS = ['haproxy', 'gateway-1', 'gateway-2', 'worker-1', 'monitor-1']

export const START_VARIABLES = {
  port: integer('PORT', { default: 9_999, min: 1, max: 65_535, unit: 'TCP port', about: 'Where HAProxy takes HTTP.' }),
  directory: {
    ...optionalText('DATA_DIRECTORY', {
      wants: 'the path of a folder',
      pattern: /./,
      about: 'Queue, books, sockets and logs. They survive a restart.'
    }),
    default: '.data'
  },
  redisMemoryMb: integer('REDIS_MEMORY_MB', {
    default: 1_024,
    min: 8,
    max: 1_048_576,
    unit: 'MB',
    about: 'What Redis may use. When it is full, payments get 503 and nothing is forgotten.'
  }),
  metricsPort: integer('METRICS_PORT', {
    default: 0,
    min: 0,
    max: 65_530,
    unit: 'TCP port',
    about:
      'The first of five ports on 127.0.0.1 for GET /metrics: HAProxy, gateway-1, gateway-2, worker-1, monitor-1. 0: none.'
  }),
  appendFsync: oneOf('APPENDFSYNC', ['always', 'everysec', 'no'], {
    default: 'always',
    about:
      'When Redis syncs its log to the disk. Only always loses nothing, whatever dies; docs/guarantees.md has what the others can lose.'
  }),
  defaultProcessor: optionalText('DEFAULT_PROCESSOR_URL', {
    wants: 'the URL of a processor',
    pattern: /./,
    about: 'A processor to use instead of the models; set both or none.'
  }),
  fallbackProcessor: optionalText('FALLBACK_PROCESSOR_URL', {
    wants: 'the URL of a processor',
    pattern: /./,
    about: 'See DEFAULT_PROCESSOR_URL.'
  })
}

// Which part listens where, and who it talks to, is the stack's own business.
const wiring = ['REDIS_URL', 'LISTEN', 'METRICS_LISTEN', 'NAME', 'DEFAULT_PROCESSOR_URL', 'FALLBACK_PROCESSOR_URL']

const services: Partial<Record<Role, Variables>> = {
  gateway: withoutWiring({ ...GATEWAY_VARIABLES, ...SERVICE_VARIABLES }),
  worker: withoutWiring({ ...WORKER_VARIABLES, ...SERVICE_VARIABLES }),
  monitor: withoutWiring({ ...MONITOR_VARIABLES, ...SERVICE_VARIABLES })
}

export type StartSettings = {
  port: number
  directory: string
  processors?: { default: string; fallback: string }
  metricsPorts: Record<string, number>
  environment: Partial<Record<Role, Environment>>
  redisArguments: string[]
  /** How long a part may take to end: a service's own drain time, and some more. */
  graceMs: number
}

/**
 * @throws ConfigError that names every variable that is not usable and those that contradict each other, before any
 *   part is started.
 */
export function readStartSettings(environment: NodeJS.ProcessEnv): StartSettings {
  const handedOn = Object.fromEntries(Object.entries(environment).filter(([name]) => !wiring.includes(name)))
  const problems = new Set([
    ...problemsIn(START_VARIABLES, environment),
    ...problemsIn({ ...GATEWAY_VARIABLES, ...SERVICE_VARIABLES }, handedOn, GATEWAY_RULES),
    ...problemsIn(WORKER_VARIABLES, handedOn),
    ...problemsIn(MONITOR_VARIABLES, handedOn)
  ])
  if (problems.size > 0) throw new ConfigError([...problems].join('\n'))
  const { port, directory, redisMemoryMb, metricsPort, appendFsync, defaultProcessor, fallbackProcessor } = readConfig(
    START_VARIABLES,
    environment
  )
  if ((defaultProcessor === null) !== (fallbackProcessor === null)) {
    throw new ConfigError('set both DEFAULT_PROCESSOR_URL and FALLBACK_PROCESSOR_URL, or none to use the models')
  }
  return {
    port,
    directory: directory ?? START_VARIABLES.directory.default,
    ...(defaultProcessor === null || fallbackProcessor === null
      ? {}
      : { processors: { default: defaultProcessor, fallback: fallbackProcessor } }),
    metricsPorts:
      metricsPort === 0 ? {} : Object.fromEntries(METERED_PARTS.map((part, index) => [part, metricsPort + index])),
    redisArguments: ['--maxmemory', `${redisMemoryMb}mb`, '--appendfsync', appendFsync],
    environment: mapValues(services, variables => pick(environment, variables)),
    graceMs: readConfig(SERVICE_VARIABLES, handedOn).drainMs + 3_000
  }
}

export function describeStart(): string {
  const section = (title: string, variables: Variables) => `\nThe ${title}:\n${describeVariables(variables)}`
  return `npm start: runs the whole system on this machine, until Ctrl-C.\n
Redis, two gateways behind HAProxy, a worker, a health monitor, and models of the two processors on the ports
${MODEL_PORTS.default} and ${MODEL_PORTS.fallback}. They listen on 127.0.0.1 only.\n
  npm start -- --no-install   installs nothing: ends with exit code 2 and says what is missing, and how to install it\n
Environment:\n${describeVariables(START_VARIABLES)}
${Object.entries(services)
  .map(([role, variables]) => section(role, withoutShared(variables)))
  .join('\n')}
${section('gateway, worker and health monitor', withoutWiring(SERVICE_VARIABLES))}`
}

function pick(environment: NodeJS.ProcessEnv, variables: Variables): Environment {
  return Object.fromEntries(
    Object.values(variables).flatMap(({ name }) => {
      const value = environment[name]
      return value === undefined ? [] : [[name, value]]
    })
  )
}

function mapValues<T, U>(record: Record<string, T>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}

function withoutWiring(variables: Variables): Variables {
  return Object.fromEntries(Object.entries(variables).filter(([, { name }]) => !wiring.includes(name)))
}

function withoutShared(variables: Variables): Variables {
  return Object.fromEntries(Object.entries(variables).filter(([key]) => !(key in SERVICE_VARIABLES)))
}
