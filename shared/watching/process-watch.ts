import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { cpuStatPaths, parseCpuStat, type Throttling } from './cgroup.ts'
import { Recent } from './recent.ts'
import type { ProcessFigures } from './report.ts'

/**
 * How often the event loop's delay is measured. Each time wakes the process: 50 times a second took 4 ms of CPU a
 * second of each, 10 take a fifth.
 */
const LAG_RESOLUTION_MS = 100
const THROTTLING_WITHIN_MS = 10_500

export type ProcessWatch = {
  /** The figures since the last call. */
  read: (nowMs: number) => ProcessFigures
  /** What `read` returned last. */
  latest: () => ProcessFigures
  /** Undefined where there is no CPU quota. */
  throttling: () => Throttling | undefined
}

/**
 * What a process can say about how it fares: the delay of its event loop, its memory, and whether it runs into a CPU
 * quota.
 */
export function watchProcess(): ProcessWatch {
  const delays = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
  delays.enable()
  const cpuStatPath = findCpuStat()
  const throttling = () => (cpuStatPath === undefined ? undefined : readThrottling(cpuStatPath))
  const recent = new Recent<Throttling>(THROTTLING_WITHIN_MS)
  let latest: ProcessFigures = { eventLoopLagMs: 0, residentBytes: process.memoryUsage.rss(), throttledShare: null }
  return {
    throttling,
    latest: () => latest,
    read(nowMs) {
      // It measures from one timer to the next; what exceeds the interval is the delay.
      const lagMs = delays.count === 0 ? 0 : Math.max(0, delays.percentile(99) / 1e6 - LAG_RESOLUTION_MS)
      delays.reset()
      const now = throttling()
      if (now) recent.add(now, nowMs)
      latest = {
        eventLoopLagMs: Math.round(lagMs * 10) / 10,
        residentBytes: process.memoryUsage.rss(),
        throttledShare: throttledShare(recent)
      }
      return latest
    }
  }
}

function throttledShare(recent: Recent<Throttling>): number | null {
  const span = recent.span(THROTTLING_WITHIN_MS)
  if (span === undefined) return null
  const [earlier, later] = [span.earlier.value, span.later.value]
  const periods = later.periods - earlier.periods
  return periods === 0 ? 0 : (later.throttledPeriods - earlier.throttledPeriods) / periods
}

function findCpuStat(): string | undefined {
  try {
    return cpuStatPaths(readFileSync('/proc/self/cgroup', 'utf8')).find(path => readThrottling(path) !== undefined)
  } catch {
    // No Linux.
    return undefined
  }
}

function readThrottling(path: string): Throttling | undefined {
  try {
    return parseCpuStat(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}
