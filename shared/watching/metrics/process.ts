import type { ProcessWatch } from '../process-watch.ts'
import type { Metrics } from './metrics.ts'

/** What every process tells, under the names that Prometheus's own client libraries use where they have one. */
export function addProcessMetrics(metrics: Metrics, watch: ProcessWatch, startedAtMs: number): void {
  metrics.counter('process_cpu_seconds_total', 'CPU time used, user and system.', [], () => {
    const { user, system } = process.cpuUsage()
    return [[{}, (user + system) / 1e6]]
  })
  metrics.gauge('process_resident_memory_bytes', 'Resident memory.', [], () => [[{}, process.memoryUsage.rss()]])
  metrics.gauge('process_start_time_seconds', 'Start of the process, in seconds since 1970.', [], () => [
    [{}, startedAtMs / 1_000]
  ])
  metrics.gauge(
    'nodejs_eventloop_lag_p99_seconds',
    '99th percentile of how late the event loop was, over about a second.',
    [],
    () => [[{}, watch.latest().eventLoopLagMs / 1_000]]
  )
  metrics.counter('cgroup_cpu_periods_total', 'Periods of the CPU quota; missing without a quota.', [], () => {
    const throttling = watch.throttling()
    return throttling ? [[{}, throttling.periods]] : []
  })
  metrics.counter('cgroup_cpu_throttled_periods_total', 'Periods in which the CPU quota was used up.', [], () => {
    const throttling = watch.throttling()
    return throttling ? [[{}, throttling.throttledPeriods]] : []
  })
  metrics.counter(
    'cgroup_cpu_throttled_seconds_total',
    'Time spent waiting for the next period of the CPU quota.',
    [],
    () => {
      const throttling = watch.throttling()
      return throttling ? [[{}, throttling.throttledSeconds]] : []
    }
  )
}
