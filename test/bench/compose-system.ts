import { CannotRunError, say } from '../support/command.ts'
import { ensureBaseImages } from '../support/engine/base-images.ts'
import { openCounters } from '../support/engine/counters.ts'
import { deploy, type Deployment } from '../support/engine/deployment.ts'
import { openEngine, type Engine } from '../support/engine/engine.ts'
import { sumOfMeters, type Meter } from './meter.ts'
import type { System } from './system.ts'

/**
 * compose/docker-compose.yml under its limits. CPU and memory are the kernel's counts of each container, which the
 * container's health checks are part of.
 *
 * @throws CannotRunError
 */
export async function startComposeSystem(signal: AbortSignal): Promise<System> {
  const engine = await openEngine(signal)
  try {
    say(engine.description)
    await ensureBaseImages(engine, signal)
    const deployment = await deploy(engine, { PURGE: 'open' }, signal)
    try {
      return await systemOf(engine, deployment)
    } catch (error) {
      await deployment.down()
      throw error
    }
  } catch (error) {
    await engine.close()
    throw error
  }
}

async function systemOf(engine: Engine, deployment: Deployment): Promise<System> {
  const meter = async (...services: string[]) => {
    const meters = await Promise.all(
      services.map(async service => containerMeter((await deployment.container(service)).pid))
    )
    return sumOfMeters(() => meters)
  }
  const modelMeter = async (url: string) => {
    const id = (await engine.docker(['ps', '-q', '--filter', `publish=${new URL(url).port}`])).trim()
    return containerMeter(Number(await engine.docker(['inspect', '--format', '{{.State.Pid}}', id])))
  }
  return {
    mode: 'compose',
    platform: `containers under their limits, ${engine.description}`,
    url: deployment.url,
    processorUrls: deployment.processorUrls,
    services: {
      haproxy: await meter('haproxy'),
      gateways: await meter('gateway-1', 'gateway-2'),
      redis: await meter('redis'),
      worker: await meter('processor-worker'),
      monitor: await meter('health-monitor')
    },
    models: await Promise.all(Object.values(deployment.processorUrls).map(modelMeter)),
    async assertAlive() {
      for (const service of deployment.services) {
        const { restarts, isRunning } = await deployment.container(service)
        if (restarts > 0 || !isRunning)
          throw new Error(`${service} ended (${restarts} restarts)\n${(await deployment.logs()).slice(-4_000)}`)
      }
    },
    async stop() {
      await deployment.down()
      await engine.close()
    }
  }
}

function containerMeter(pid: number): Meter {
  const counters = openCounters(pid)
  if (counters === undefined) throw new CannotRunError("the kernel's counts of the containers are out of reach here")
  const { read } = counters
  return {
    cpuMicros: () => read().cpuMicros,
    throttledMicros: () => read().throttledMicros,
    memoryBytes: () => read().memoryBytes
  }
}
