// Which processes make up a stack, and how each one is started: commands, environments, sockets, in groups that follow
// one another.
import { join, resolve } from 'node:path'
import type { PartPlan } from './part.ts'
import { hasLoggedReady, httpAnswers, redisAnswers } from './readiness.ts'
import type { Environment, Role, StackLayout } from './stack-options.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')
const READY_TIMEOUT_MS = 60_000

export function redisPathOf(directory: string): string {
  return join(directory, 'redis.sock')
}

/** The parts of each group start together, once the group before it serves. Throws when a socket's path is too long. */
export function planStack(layout: StackLayout): PartPlan[][] {
  const { directory, processorUrls, modelPorts } = layout
  const redisPath = redisPathOf(directory)
  const gatewayPaths = numbered(layout.gateways).map(n => join(directory, `gateway-${n}.sock`))
  if (gatewayPaths.length < 1 || gatewayPaths.length > 4) throw new Error('haproxy.cfg has room for 1 to 4 gateways')
  for (const path of [redisPath, ...gatewayPaths]) assertSocketPathFits(path)

  const plan = (name: string, rest: Pick<PartPlan, 'command' | 'arguments'> & Partial<PartPlan>): PartPlan => {
    const logPath = join(directory, 'logs', `${name}.log`)
    return {
      name,
      logPath,
      workingDirectory: REPOSITORY,
      environment: baseEnvironment(),
      stopSignal: 'SIGTERM',
      readyTimeoutMs: READY_TIMEOUT_MS,
      isReady: logFromByte => hasLoggedReady(logPath, logFromByte),
      ...rest
    }
  }
  const metricsAddress = (name: string, variable: string): Environment => {
    const port = layout.metricsPorts[name]
    return port === undefined ? {} : { [variable]: `127.0.0.1:${port}` }
  }
  const service = (name: string, role: Role, entryFile: string, environment: Environment) =>
    plan(name, {
      command: process.execPath,
      arguments: [layout.programs?.[role] ?? entryFile],
      environment: {
        ...baseEnvironment(),
        ...environment,
        ...metricsAddress(name, 'METRICS_LISTEN'),
        ...layout.environment?.[role]
      }
    })
  const model = (name: string, fee: string, port: number) => {
    const environment = { LISTEN: `127.0.0.1:${port}`, FEE: fee, JOURNAL: join(directory, `${name}.journal`) }
    return service(name, 'processor', 'test/support/processor/main.ts', environment)
  }

  const redis = plan('redis', {
    command: 'redis-server',
    arguments: [
      join(REPOSITORY, 'compose/redis.conf'),
      '--unixsocket',
      redisPath,
      '--dir',
      join(directory, 'redis'),
      ...(layout.redisArguments ?? [])
    ],
    environment: { ...baseEnvironment(), ...layout.environment?.redis },
    isReady: () => redisAnswers(redisPath)
  })
  const models =
    modelPorts === undefined
      ? []
      : [
          model('processor-default', '0.05', modelPorts.default),
          model('processor-fallback', '0.15', modelPorts.fallback)
        ]
  const REDIS_URL = `unix:${redisPath}`
  const processors = { DEFAULT_PROCESSOR_URL: processorUrls.default, FALLBACK_PROCESSOR_URL: processorUrls.fallback }
  const gateways = gatewayPaths.map((path, index) => {
    const name = `gateway-${index + 1}`
    return service(name, 'gateway', 'gateway/main.ts', { REDIS_URL, LISTEN: `unix:${path}`, NAME: name })
  })
  const workers = numbered(layout.workers)
    .map(n => `worker-${n}`)
    .map(name => service(name, 'worker', 'processor-worker/main.ts', { REDIS_URL, ...processors, NAME: name }))
  const monitors = numbered(layout.monitors)
    .map(n => `monitor-${n}`)
    .map(name => service(name, 'monitor', 'health-monitor/main.ts', { REDIS_URL, ...processors, NAME: name }))
  const haproxy = plan('haproxy', {
    command: 'haproxy',
    // -db: in the foreground, so that its pid and its signals are the balancer's own.
    arguments: ['-db', '-f', join(REPOSITORY, 'haproxy/haproxy.cfg')],
    environment: {
      ...baseEnvironment(),
      BIND: `127.0.0.1:${layout.port}`,
      ...metricsAddress('haproxy', 'METRICS_BIND'),
      ...Object.fromEntries(gatewayPaths.map((path, index) => [`GATEWAY_${index + 1}`, `unix@${path}`]))
    },
    // SIGTERM would cut requests in flight.
    stopSignal: 'SIGUSR1',
    isReady: () => httpAnswers(`http://127.0.0.1:${layout.port}/health`)
  })
  return [[redis, ...models], [...gateways, ...workers, ...monitors], [haproxy]]
}

/** The path of a unix socket has 108 bytes in the kernel's structure (104 on macOS), of which the last is a zero. */
function assertSocketPathFits(path: string): void {
  const maxBytes = process.platform === 'linux' ? 107 : 103
  const bytes = Buffer.byteLength(path)
  if (bytes <= maxBytes) return
  throw new Error(`the path of a unix socket can have ${maxBytes} bytes, ${path} has ${bytes}: use a shorter directory`)
}

/** Nothing else of the user's shell may change how a part behaves. */
function baseEnvironment(): Environment {
  const names = ['PATH', 'HOME', 'TZ', 'LANG']
  return Object.fromEntries(names.flatMap(name => (process.env[name] === undefined ? [] : [[name, process.env[name]]])))
}

function numbered(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1)
}
