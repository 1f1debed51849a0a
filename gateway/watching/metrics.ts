import { addProcessMetrics } from '../../shared/watching/metrics/process.ts'
import { createMetrics, type Metrics } from '../../shared/watching/metrics/metrics.ts'
import type { ProcessWatch } from '../../shared/watching/process-watch.ts'
import { ACCEPT_OUTCOMES } from '../../shared/watching/report.ts'
import type { StatusSource } from './status/source.ts'
import { addSystemMetrics } from './system-metrics.ts'
import type { Tally } from '../tally.ts'

export type GatewayMetricsOptions = {
  tally: Tally
  watch: ProcessWatch
  startedAtMs: number
  queuedMax: number
  status: StatusSource
}

/**
 * What this gateway counts, and the figures of the whole system, which each gateway tells alike: take their maximum,
 * not their sum. Those are missing while Redis does not answer.
 */
export function createGatewayMetrics({ tally, watch, startedAtMs, queuedMax, status }: GatewayMetricsOptions): Metrics {
  const metrics = createMetrics()
  addProcessMetrics(metrics, watch, startedAtMs)
  metrics.counter(
    'payments_received_total',
    'Requests to accept a payment, by the answer to the client.',
    ['outcome'],
    () => ACCEPT_OUTCOMES.map(outcome => [{ outcome }, tally.answers[outcome]])
  )
  metrics.histogram(
    'payment_accept_duration_seconds',
    'From a payment to the answer of Redis that it is kept.',
    [],
    () => [[{}, tally.latency]]
  )
  metrics.gauge(
    'active_connections',
    'Open connections: of clients at the gateways, to processors at the workers.',
    ['peer'],
    () => [[{ peer: 'client' }, tally.connections]]
  )
  metrics.gauge(
    'payment_queue_limit',
    'Unsettled payments, waiting and in flight, from which on this gateway refuses new ones.',
    [],
    () => [[{}, queuedMax]]
  )
  addSystemMetrics(metrics, status)
  return metrics
}
