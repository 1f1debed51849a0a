import { createMetrics, type Metrics } from '../../shared/watching/metrics/metrics.ts'
import { addProcessMetrics } from '../../shared/watching/metrics/process.ts'
import { PROCESSOR_NAMES, type ProcessorName } from '../../shared/payment.ts'
import type { ProcessWatch } from '../../shared/watching/process-watch.ts'
import { SEND_OUTCOMES, type BreakerState } from '../../shared/watching/report.ts'
import type { LaneView } from './report.ts'
import type { Tally } from '../tally.ts'

export type WorkerMetricsOptions = {
  tally: Tally
  watch: ProcessWatch
  startedAtMs: number
  view: () => Record<ProcessorName, LaneView>
  breakerState: (processor: ProcessorName) => BreakerState
  /** Open connections to a processor. */
  connections: (processor: ProcessorName) => number
}

const STATES: readonly BreakerState[] = ['CLOSED', 'OPEN', 'HALF_OPEN']

export function createWorkerMetrics({
  tally,
  watch,
  startedAtMs,
  view,
  breakerState,
  connections
}: WorkerMetricsOptions): Metrics {
  const metrics = createMetrics()
  addProcessMetrics(metrics, watch, startedAtMs)
  metrics.counter(
    'payment_requests_total',
    'Payments sent to a processor, by what its answer proved.',
    ['processor', 'status'],
    () =>
      PROCESSOR_NAMES.flatMap(processor =>
        SEND_OUTCOMES.map(status => [{ processor, status }, tally[processor].answers[status]] as const)
      )
  )
  metrics.histogram(
    'payment_duration_seconds',
    'From sending a payment to a processor to its answer.',
    ['processor'],
    () => PROCESSOR_NAMES.map(processor => [{ processor }, tally[processor].latency])
  )
  metrics.counter('payments_counted_total', 'Payments that this worker has settled.', ['processor'], () =>
    PROCESSOR_NAMES.map(processor => [{ processor }, tally[processor].settled])
  )
  metrics.gauge('payment_worker_in_flight', 'Payments that this worker has at a processor.', ['processor'], () =>
    PROCESSOR_NAMES.map(processor => [{ processor }, view()[processor].inFlightCount])
  )
  metrics.gauge(
    'payment_breaker_state',
    'The circuit breaker of a processor: 1 for the state that it is in.',
    ['processor', 'state'],
    () =>
      PROCESSOR_NAMES.flatMap(processor =>
        STATES.map(state => [{ processor, state }, breakerState(processor) === state ? 1 : 0] as const)
      )
  )
  metrics.gauge(
    'active_connections',
    'Open connections: of clients at the gateways, to processors at the workers.',
    ['peer'],
    () => PROCESSOR_NAMES.map(processor => [{ peer: processor }, connections(processor)])
  )
  return metrics
}
