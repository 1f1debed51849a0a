import type { Deployment } from '../support/engine/deployment.ts'
import { openCounters, type Counters, type CounterReader } from '../support/engine/counters.ts'

/** What one container used while it was watched. */
export type Usage = {
  service: string
  limits: { cpus: number; memoryBytes: number }
  cpuSeconds: number
  throttledSeconds: number
  memoryPeakBytes: number
  oomKills: number
  restarts: number
}

const SAMPLE_EVERY_MS = 250

/**
 * Watches every container from now on; the returned function ends it. Undefined where the kernel's counters are out of
 * reach.
 */
export async function watch(deployment: Deployment): Promise<(() => Promise<Usage[]>) | undefined> {
  const watched: { service: string; reader: CounterReader; first: Counters; peakBytes: number }[] = []
  for (const service of deployment.services) {
    const reader = openCounters((await deployment.container(service)).pid)
    if (reader === undefined) return undefined
    const first = reader.read()
    watched.push({ service, reader, first, peakBytes: first.memoryBytes })
  }
  const sample = () => {
    for (const each of watched) {
      try {
        each.peakBytes = Math.max(each.peakBytes, each.reader.read().memoryBytes)
      } catch {
        /* between an end and a restart, which the restarts tell */
      }
    }
  }
  const timer = setInterval(sample, SAMPLE_EVERY_MS)
  return async () => {
    clearInterval(timer)
    sample()
    return await Promise.all(
      watched.map(async ({ service, reader, first, peakBytes }) => {
        const last = reader.read()
        const { restarts, limits } = await deployment.container(service)
        return {
          service,
          limits,
          restarts,
          cpuSeconds: (last.cpuMicros - first.cpuMicros) / 1e6,
          throttledSeconds: (last.throttledMicros - first.throttledMicros) / 1e6,
          memoryPeakBytes: peakBytes,
          oomKills: last.oomKills
        }
      })
    )
  }
}
