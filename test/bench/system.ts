// The system that is measured, as processes of this machine; compose-system.ts has it as containers.
import { startCommandStack, type TestStack, type TestStackOptions } from '../support/stack.ts'
import { processMeter, sumOfMeters, type Meter } from './meter.ts'
import type { RunResult, Service } from './result.ts'

export type System = {
  mode: RunResult['mode']
  platform: string
  /** HAProxy's. */
  url: string
  processorUrls: { default: string; fallback: string }
  services: Record<Service, Meter>
  /** Of the two processors. */
  models: readonly Meter[]
  /** @throws when a part has ended or was restarted, which makes every figure worthless */
  assertAlive: () => Promise<void>
  stop: () => Promise<void>
}

/** A system whose parts can be stopped and started again. */
export type LocalSystem = System & TestStack

/** The whole system as processes, on free ports; its books can be emptied. */
export async function startLocalSystem(signal: AbortSignal, options: TestStackOptions = {}): Promise<LocalSystem> {
  // Summaries are asked to the millisecond over a whole history.
  const environment = { gateway: { PURGE: 'open' }, worker: { TOTALS_RETENTION_HOURS: '87600' } }
  const testStack = await startCommandStack('bench', { environment, signal, ...options })
  const { stack, directory } = testStack
  // Of the process that a part is now: Redis may have been restarted.
  const partsMeter = (role: string): Meter =>
    sumOfMeters(() =>
      [...stack.parts.values()].filter(({ name }) => name.startsWith(role)).map(({ pid }) => processMeter(pid ?? 0))
    )
  return {
    ...testStack,
    mode: 'local',
    platform: `processes, Node ${process.version}`,
    url: stack.url,
    processorUrls: stack.processorUrls,
    services: {
      haproxy: partsMeter('haproxy'),
      gateways: partsMeter('gateway-'),
      redis: partsMeter('redis'),
      worker: partsMeter('worker-'),
      monitor: partsMeter('monitor-')
    },
    models: [partsMeter('processor-default'), partsMeter('processor-fallback')],
    assertAlive() {
      for (const { name, state } of stack.parts.values()) {
        if (state !== 'running') throw new Error(`${name} is ${state}; the logs are in ${directory}/logs`)
      }
      return Promise.resolve()
    }
  }
}
