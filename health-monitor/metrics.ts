import { createMetrics, type Metrics } from '../shared/watching/metrics/metrics.ts'
import { addProcessMetrics } from '../shared/watching/metrics/process.ts'
import { PROCESSOR_NAMES } from '../shared/payment.ts'
import type { ProcessWatch } from '../shared/watching/process-watch.ts'
import { POLL_RESULTS } from '../shared/watching/report.ts'
import type { Tally } from './tally.ts'

export function createMonitorMetrics(tally: Tally, watch: ProcessWatch, startedAtMs: number): Metrics {
  const metrics = createMetrics()
  addProcessMetrics(metrics, watch, startedAtMs)
  metrics.gauge('health_monitor_active', 'Whether this monitor is the one that polls.', [], () => [
    [{}, tally.isActive ? 1 : 0]
  ])
  metrics.counter(
    'health_checks_total',
    "Polls of the processors' health, by their results.",
    ['processor', 'result'],
    () =>
      PROCESSOR_NAMES.flatMap(processor =>
        POLL_RESULTS.map(result => [{ processor, result }, tally.polls[processor][result]] as const)
      )
  )
  metrics.counter(
    'health_check_failures_total',
    'Polls that found the processor failing, or got no sensible answer.',
    ['processor'],
    () =>
      PROCESSOR_NAMES.map(processor => [{ processor }, tally.polls[processor].failing + tally.polls[processor].trouble])
  )
  return metrics
}
