import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startStack, type Stack, type StackOptions } from '../../compose/local/stack.ts'
import type { Part } from '../../compose/local/part.ts'
import { processMeter, sumOfMeters, type Meter } from './meter.ts'
import type { System } from './system.ts'

/** A system whose parts can be stopped and started again. */
export type LocalSystem = System & { stack: Stack }

/** The whole system as processes, on free ports; its books can be emptied. */
export async function startLocalSystem(
  signal: AbortSignal,
  counts: Pick<StackOptions, 'gateways' | 'workers'> = {}
): Promise<LocalSystem> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'))
  const remove = () => {
    rmSync(directory, { recursive: true })
  }
  let stack: Stack
  try {
    // Summaries are asked to the millisecond over a whole history.
    const environment = { gateway: { PURGE: 'open' }, worker: { TOTALS_RETENTION_HOURS: '87600' } }
    stack = await startStack({ directory, environment, signal, ...counts })
  } catch (error) {
    if (signal.aborted) remove()
    throw error
  }
  const meter = (...names: string[]): Meter => sumOfMeters(names.map(name => partMeter(stack.part(name))))
  const named = (role: string) => [...stack.parts.keys()].filter(name => name.startsWith(role))
  return {
    stack,
    mode: 'local',
    platform: `processes, Node ${process.version}`,
    url: stack.url,
    processorUrls: stack.processorUrls,
    services: {
      haproxy: meter('haproxy'),
      gateways: meter(...named('gateway-')),
      redis: meter('redis'),
      worker: meter(...named('worker-')),
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

/** Of the process that the part is now: Redis may have been restarted. */
function partMeter(part: Part): Meter {
  const now = () => processMeter(part.pid ?? 0)
  return {
    cpuMicros: () => now().cpuMicros(),
    throttledMicros: () => now().throttledMicros(),
    memoryBytes: () => now().memoryBytes()
  }
}
