import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startStack, type Stack } from '../../compose/local/stack.ts'
import { processMeter, sumOfMeters, type Meter } from './meter.ts'
import type { System } from './system.ts'

/** The whole system as processes, on free ports; its books can be emptied. */
export async function startLocalSystem(signal: AbortSignal): Promise<System> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'))
  const remove = () => { rmSync(directory, { recursive: true }) }
  let stack: Stack
  try {
    stack = await startStack({ directory, environment: { gateway: { PURGE: 'open' } }, signal })
  } catch (error) {
    if (signal.aborted) remove()
    throw error
  }
  const meter = (...names: string[]): Meter => sumOfMeters(names.map(name => processMeter(stack.part(name).pid ?? 0)))
  return {
    mode: 'local',
    platform: `processes, Node ${process.version}`,
    url: stack.url,
    processorUrls: stack.processorUrls,
    services: {
      haproxy: meter('haproxy'),
      gateways: meter('gateway-1', 'gateway-2'),
      redis: meter('redis'),
      worker: meter('worker-1'),
      monitor: meter('monitor-1')
    },
    models: [meter('processor-default'), meter('processor-fallback')],
    assertAlive() {
      for (const { name, state } of stack.parts.values()) {
        if (state !== 'running') throw new Error(`${name} is ${state}; the logs are in ${directory}/logs`)
      }
      return Promise.resolve()
    },
    async stop() {
      const isWhole = [...stack.parts.values()].every(({ state }) => state === 'running')
      await stack.stop()
      if (isWhole) remove()
    }
  }
}
