import { PROCESSOR_NAMES } from '../../shared/payment.ts'
import type { Metrics, Values } from '../../shared/watching/metrics/metrics.ts'
import type { AuditFigures, ProcessorFigures } from './status/figures.ts'
import type { StatusSource } from './status/source.ts'
import type { Status } from './status/status.ts'

const BREAKER_STATES = ['CLOSED', 'OPEN', 'HALF_OPEN'] as const

/** The figures of the whole system, missing while Redis does not answer. */
export function addSystemMetrics(metrics: Metrics, status: StatusSource): void {
  const to = systemMetrics(metrics, status)
  metrics.gauge('payment_redis_up', 'Whether Redis answers this gateway.', [], async () => [
    [{}, (await status.read()).status.isCurrent ? 1 : 0]
  ])
  to.gauge(
    'payment_problems',
    'Sentences under "problems" in GET /status; 0 when all is well.',
    ({ problems }) => problems.length
  )
  addQueue(to)
  addProcesses(to)
  addRedis(to)
  addProcessors(to)
  addAudit(to)
  addBreakers(to)
}

type SystemMetrics = ReturnType<typeof systemMetrics>

/** Ways to add a metric whose values are read from the figures, one for the whole system or one for each processor. */
function systemMetrics(metrics: Metrics, status: StatusSource) {
  const fromStatus =
    <L extends string>(read: (system: Status) => Values<L, number>) =>
    async (): Promise<Values<L, number>> => {
      const { status: system } = await status.read()
      return system.isCurrent ? read(system) : []
    }
  const ofEach = (read: (processor: ProcessorFigures) => number | undefined) =>
    fromStatus(({ processors }) =>
      PROCESSOR_NAMES.flatMap(processor => {
        const value = read(processors[processor])
        return value === undefined ? [] : [[{ processor }, value] as const]
      })
    )
  const help = (text: string) => `${text} Of the whole system.`
  return {
    gauge: (name: string, text: string, read: (system: Status) => number | null) => {
      const values = fromStatus(system => {
        const value = read(system)
        return value === null ? [] : [[{}, value]]
      })
      metrics.gauge(name, help(text), [], values)
    },
    /** A gauge by labels of its own. */
    gaugeBy: <L extends string>(
      name: string,
      text: string,
      labelNames: readonly L[],
      read: (system: Status) => Values<L, number>
    ) => metrics.gauge(name, help(text), labelNames, fromStatus(read)),
    gaugeOfEach: (name: string, text: string, read: (processor: ProcessorFigures) => number | undefined) =>
      metrics.gauge(name, help(text), ['processor'], ofEach(read)),
    counterOfEach: (name: string, text: string, read: (processor: ProcessorFigures) => number) =>
      metrics.counter(name, help(text), ['processor'], ofEach(read))
  }
}

function addQueue({ gauge }: SystemMetrics): void {
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
}

function addProcesses({ gauge }: SystemMetrics): void {
  gauge('payment_workers_alive', 'Workers that live.', ({ workers }) => workers.filter(({ isAlive }) => isAlive).length)
  gauge(
    'payment_gateways_alive',
    'Gateways that live.',
    ({ gateways }) => gateways.filter(({ isAlive }) => isAlive).length
  )
  gauge('payment_health_polled', 'Whether some health monitor polls the processors.', ({ isPolled }) =>
    isPolled ? 1 : 0
  )
}

function addRedis({ gauge, gaugeBy }: SystemMetrics): void {
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
  gaugeBy(
    'payment_redis_memory_bytes',
    "What of Redis's memory each part takes, estimated every 10 s.",
    ['part'],
    ({ redis: { memory } }) => {
      if (memory === null) return []
      const { queueBytes, idsBytes, totalsBytes, otherBytes } = memory
      return Object.entries({ queue: queueBytes, ids: idsBytes, totals: totalsBytes, other: otherBytes }).map(
        ([part, bytes]) => [{ part }, bytes] as const
      )
    }
  )
}

function addProcessors({ gaugeOfEach, counterOfEach }: SystemMetrics): void {
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
}

function addAudit({ gauge, gaugeBy }: SystemMetrics): void {
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
    text: string,
    read: (difference: AuditFigures['differences']['default']) => bigint
  ) => {
    gaugeBy(name, text, ['processor'], ({ audit }) =>
      audit
        ? PROCESSOR_NAMES.map(processor => [{ processor }, Number(read(audit.differences[processor]))] as const)
        : []
    )
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
}

function addBreakers({ gaugeBy }: SystemMetrics): void {
  gaugeBy(
    'payment_processor_breakers',
    'Workers whose breaker is in this state.',
    ['processor', 'state'],
    ({ processors }) =>
      PROCESSOR_NAMES.flatMap(processor =>
        BREAKER_STATES.map(
          state =>
            [
              { processor, state },
              processors[processor].breakers.filter(breaker => breaker.state === state).length
            ] as const
        )
      )
  )
}
