// compose/docker-compose.yml, perhaps with a file over it, and compose/processors.yml, up and running under names and
// ports of their own.
import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findFreePort } from '../../../compose/local/ports.ts'
import { say } from '../command.ts'
import type { Engine } from './engine.ts'

const COMPOSE_FOLDER = resolve(import.meta.dirname, '../../../compose')
const HEALTHY_WITHIN_MS = 120_000

export type Container = {
  id: string
  /** Of its first process, as this machine sees it. */
  pid: number
  restarts: number
  isRunning: boolean
  /** Undefined for one without a health check. */
  health: string | undefined
  limits: { cpus: number; memoryBytes: number }
}

export type Deployment = {
  /** HAProxy's. */
  url: string
  processorUrls: { default: string; fallback: string }
  /** The services of docker-compose.yml. */
  services: readonly string[]
  /** As it is now. Throws when the service has no container. */
  container: (service: string) => Promise<Container>
  /** Waits until every container with a health check is healthy. */
  untilHealthy: () => Promise<void>
  logs: () => Promise<string>
  /** Takes everything down, volumes and networks included. */
  down: () => Promise<void>
}

/**
 * Builds, starts and waits until all is healthy; takes all down again when that fails.
 * @param environment for the compose files, e.g. { PURGE: 'open' }
 * @param overlay a compose file over docker-compose.yml, as a path from compose/; services that only this one has are
 *   not started
 */
export async function deploy(
  engine: Engine,
  environment: Record<string, string>,
  signal?: AbortSignal,
  overlay?: string
): Promise<Deployment> {
  const name = `pipeline-${randomBytes(4).toString('hex')}`
  const [port, defaultPort, fallbackPort] = [await findFreePort(), await findFreePort(), await findFreePort()]
  const options = {
    environment: {
      BIND_ADDRESS: '127.0.0.1',
      PORT: String(port),
      DEFAULT_PROCESSOR_PORT: String(defaultPort),
      FALLBACK_PROCESSOR_PORT: String(fallbackPort),
      PROCESSOR_NETWORK: `${name}-processors`,
      ...environment
    }
  }
  const files = {
    pipeline: ['docker-compose.yml', ...(overlay === undefined ? [] : [overlay])],
    processors: ['processors.yml']
  }
  const run = (project: 'pipeline' | 'processors', words: string[], stopWith?: AbortSignal, own = files[project]) =>
    engine.compose(
      [
        '-p',
        project === 'pipeline' ? name : `${name}-processors`,
        ...own.flatMap(file => ['-f', join(COMPOSE_FOLDER, file)]),
        ...words
      ],
      { ...options, ...(stopWith && { signal: stopWith }) }
    )
  // The network is the processors': it comes first and goes last.
  const down = async () => {
    for (const project of ['pipeline', 'processors'] as const)
      await run(project, ['down', '--volumes', '--timeout', '10'])
  }

  let services: string[] = []
  const container = async (service: string): Promise<Container> => {
    const id = (await run('pipeline', ['ps', '-q', service])).trim()
    const format =
      '{{.State.Pid}} {{.RestartCount}} {{.State.Running}} {{if .State.Health}}{{.State.Health.Status}}{{end}}' +
      ' {{.HostConfig.NanoCpus}} {{.HostConfig.Memory}}'
    const [pid, restarts, isRunning, health, nanoCpus, memory] = (
      await engine.docker(['inspect', '--format', format, id])
    )
      .trim()
      .split(' ')
    return {
      id,
      pid: Number(pid),
      restarts: Number(restarts),
      isRunning: isRunning === 'true',
      health: health === '' ? undefined : health,
      limits: { cpus: Number(nanoCpus) / 1e9, memoryBytes: Number(memory) }
    }
  }
  const untilHealthy = async () => {
    const deadlineMs = performance.now() + HEALTHY_WITHIN_MS
    for (const service of services) {
      while (true) {
        const { health, isRunning } = await container(service)
        if (isRunning && (health === undefined || health === 'healthy')) break
        signal?.throwIfAborted()
        if (performance.now() > deadlineMs)
          throw new Error(
            `${service} is ${isRunning ? (health ?? 'running') : 'not running'} after ${HEALTHY_WITHIN_MS} ms`
          )
        await sleep(500)
      }
    }
  }
  const deployment: Deployment = {
    url: `http://127.0.0.1:${port}`,
    processorUrls: { default: `http://127.0.0.1:${defaultPort}`, fallback: `http://127.0.0.1:${fallbackPort}` },
    get services() {
      return services
    },
    container,
    untilHealthy,
    logs: () => run('pipeline', ['logs', '--no-color']),
    down
  }
  try {
    services = (await run('pipeline', ['config', '--services'], signal, files.pipeline.slice(0, 1))).trim().split('\n')
    for (const project of ['processors', 'pipeline'] as const) {
      say(`building and starting the ${project}`)
      await run(project, ['build'], signal)
      await run(project, ['up', '--detach', ...(project === 'pipeline' ? services : [])], signal)
    }
    say('waiting until all are healthy')
    await untilHealthy()
    return deployment
  } catch (error) {
    const logs = await deployment.logs().catch(() => '')
    await down()
    if (signal?.aborted !== true)
      throw new Error(`the containers did not come up: ${(error as Error).message}\n${logs.slice(-4_000)}`, {
        cause: error
      })
    throw error
  }
}
