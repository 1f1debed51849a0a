import { addProcessMetrics } from '../../shared/watching/metrics/process.ts'
import { createMetrics, type Metrics } from '../../shared/watching/metrics/metrics.ts'
import { PROCESSOR_NAMES } from '../../shared/payment.ts'
import type { ProcessWatch } from '../../shared/watching/process-watch.ts'
import { ACCEPT_OUTCOMES } from '../../shared/watching/report.ts'
import type { AuditFigures, ProcessorFigures } from './status/figures.ts'
import type { StatusSource } from './status/source.ts'
import type { Status } from './status/status.ts'
import type { Tally } from '../tally.ts'

const BREAKER_STATES = ['CLOSED', 'OPEN', 'HALF_OPEN'] as const

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
    'Requests to accept a payment, by what the client was told.',
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

function addSystemMetrics(metrics: Metrics, status: StatusSource): void {
  const figures = async (): Promise<Status | undefined> => {
    const { status: latest } = await status.read()
    return latest.isCurrent ? latest : undefined
  }
  const gauge = (name: string, help: string, read: (system: Status) => number | null) => {
    metrics.gauge(name, `${help} Of the whole system.`, [], async () => {
      const system = await figures()
      const value = system === undefined ? null : read(system)
      return value === null ? [] : [[{}, value]]
    })
  }
  const each = (system: Status | undefined, read: (processor: ProcessorFigures) => number | undefined) =>
    system === undefined
      ? []
      : PROCESSOR_NAMES.flatMap(processor => {
          const value = read(system.processors[processor])
          return value === undefined ? [] : [[{ processor }, value] as const]
        })
  const gaugeOfEach = (name: string, help: string, read: (processor: ProcessorFigures) => number | undefined) => {
    metrics.gauge(name, `${help} Of the whole system.`, ['processor'], async () => each(await figures(), read))
  }
  const counterOfEach = (name: string, help: string, read: (processor: ProcessorFigures) => number) => {
    metrics.counter(name, `${help} Of the whole system.`, ['processor'], async () => each(await figures(), read))
  }

  metrics.gauge('payment_redis_up', 'Whether Redis answers this gateway.', [], async () => [
    [{}, (await status.read()).status.isCurrent ? 1 : 0]
  ])
  gauge(
    'payment_problems',
    'Sentences under "problems" in GET /status; 0 when all is well.',
    ({ problems }) => problems.length
  )
  gauge('payment_queue_length', 'Payments that wait for a processor.', ({ queue }) => queue.waiting)
  gauge(
    'payment_queue_oldest_age_seconds',
    'How long the oldest waiting payment has waited; 0 when none waits.',
    ({ queue }) => queue.oldestWaitingSeconds ?? 0
  )
  gauge('payments_in_flight', 'Payments sent to a processor and not settled.', ({ queue }) => queue.inFlight)
  gauge(
    'payments_unsettled_oldest_age_seconds',
    'How long ago the oldest payment was accepted that is not settled; 0 when there is none.',
    ({ queue }) => queue.oldestSeconds ?? 0
  )
  gauge(
    'payment_dead_letters',
    'Payments that both processors refused for good, and entries of the queue that were no payment.',
    ({ queue }) => queue.deadLetters
  )
  gauge('payment_workers_alive', 'Workers that live.', ({ workers }) => workers.filter(({ isAlive }) => isAlive).length)
  gauge(
    'payment_gateways_alive',
    'Gateways that live.',
    ({ gateways }) => gateways.filter(({ isAlive }) => isAlive).length
  )
  gauge('payment_health_polled', 'Whether some health monitor polls the processors.', ({ isPolled }) =>
    isPolled ? 1 : 0
  )
  gauge(
    'payment_redis_can_write_log',
    'Whether the last write of Redis to its append-only log went well.',
    ({ redis }) => (redis.canWriteLog ? 1 : 0)
  )
  gauge(
    'payment_redis_memory_used_bytes',
    'What Redis uses, as it compares it with its limit.',
    ({ redis }) => redis.usedBytes
  )
  gauge(
    'payment_redis_memory_max_bytes',
    'The limit of Redis; missing where there is none.',
    ({ redis }) => redis.maxBytes
  )
  metrics.gauge(
    'payment_redis_memory_bytes',
    "What of Redis's memory each part takes, estimated every 10 s. Of the whole system.",
    ['part'],
    async () => {
      const memory = (await figures())?.redis.memory
      if (!memory) return []
      const { queueBytes, idsBytes, totalsBytes, otherBytes } = memory
      return Object.entries({ queue: queueBytes, ids: idsBytes, totals: totalsBytes, other: otherBytes }).map(
        ([part, bytes]) => [{ part }, bytes] as const
      )
    }
  )
  gaugeOfEach(
    'payment_processor_said_to_fail',
    'Whether its last health poll said that it is failing; missing when nothing is known.',
    ({ health }) => (health === null ? undefined : health.failing ? 1 : 0)
  )
  gaugeOfEach('payment_processor_up', 'Whether payments get booked there, by all that is known.', ({ verdict }) =>
    verdict === 'fails' ? 0 : 1
  )
  counterOfEach('payments_settled_total', 'Payments in the books.', ({ settled }) => Number(settled.payments))
  counterOfEach('payments_settled_cents_total', 'Money in the books, in cents.', ({ settled }) =>
    Number(settled.amount)
  )
  gauge(
    'payment_audit_timestamp_seconds',
    'When the last audit of all payments ran, in seconds since 1970; missing if none did.',
    ({ audit }) => audit && Date.parse(audit.at) / 1_000
  )
  gauge(
    'payment_audit_differing_payments',
    'Payments that the last audit found to differ one by one; missing unless it was deep.',
    ({ audit }) => audit?.differingPayments ?? null
  )
  gauge(
    'payment_audit_not_compared_payments',
    'Payments in flight that the last audit could not compare.',
    ({ audit }) => audit?.notCompared?.count ?? null
  )
  gauge(
    'payment_audit_not_compared_oldest_age_seconds',
    'For how long the oldest of these had been in flight by then; 0 if there were none.',
    ({ audit }) => (audit?.notCompared ? (audit.notCompared.oldestSeconds ?? 0) : null)
  )
  const differenceOfEach = (
    name: string,
    help: string,
    read: (difference: AuditFigures['differences']['default']) => bigint
  ) => {
    metrics.gauge(name, `${help} Of the whole system.`, ['processor'], async () => {
      const audit = (await figures())?.audit
      return audit
        ? PROCESSOR_NAMES.map(processor => [{ processor }, Number(read(audit.differences[processor]))] as const)
        : []
    })
  }
  differenceOfEach(
    'payment_books_difference_payments',
    "Payments in our books minus those in the processor's, by the last audit.",
    ({ payments }) => payments
  )
  differenceOfEach(
    'payment_books_difference_cents',
    "Money in our books minus that in the processor's, in cents, by the last audit.",
    ({ amount }) => amount
  )
  metrics.gauge(
    'payment_processor_breakers',
    'Workers whose breaker is in this state. Of the whole system.',
    ['processor', 'state'],
    async () => {
      const system = await figures()
      if (system === undefined) return []
      return PROCESSOR_NAMES.flatMap(processor =>
        BREAKER_STATES.map(
          state =>
            [
              { processor, state },
              system.processors[processor].breakers.filter(breaker => breaker.state === state).length
            ] as const
        )
      )
    }
  )
}
