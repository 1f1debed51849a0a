import { integer, processName, type Rule } from '../shared/config.ts'
import { METRICS_LISTEN } from '../shared/watching/metrics/listen.ts'
import { PROCESSOR_URL_VARIABLES } from '../shared/processors.ts'
import { REDIS_URL } from '../shared/redis/connect.ts'
import { ROUTING_VARIABLES } from './routing-parameters.ts'

export const WORKER_VARIABLES = {
  redisUrl: REDIS_URL,
  ...PROCESSOR_URL_VARIABLES,
  workerName: processName(
    'WORKER_NAME',
    'Name in the consumer group and in the status; a random part is added, so that two processes never share one. Unset: the host name.'
  ),
  metricsListen: METRICS_LISTEN,
  processorTimeoutMs: integer('PROCESSOR_TIMEOUT_MS', {
    default: 15_000,
    min: 100,
    max: 300_000,
    unit: 'ms',
    about:
      'How long a processor may take to answer. After that the outcome is unknown and is asked for; it is never paid elsewhere.'
  }),
  ...ROUTING_VARIABLES,
  totalsRetentionHours: integer('TOTALS_RETENTION_HOURS', {
    default: 24,
    min: 1,
    max: 87_600,
    unit: 'hours',
    about:
      'How long summaries are exact to the millisecond; what is older, to the minute. Of several workers the shortest counts.'
  }),
  exchangeEveryMs: integer('EXCHANGE_EVERY_MS', {
    default: 10,
    min: 0,
    max: 1_000,
    unit: 'ms',
    about:
      'Least time between two round trips to Redis: what happens in between shares one. More saves CPU and delays payments.'
  }),
  heartbeatMs: integer('HEARTBEAT_MS', {
    default: 500,
    min: 50,
    max: 60_000,
    unit: 'ms',
    about: 'How often the worker shows that it lives.'
  }),
  deadAfterMs: integer('DEAD_AFTER_MS', {
    default: 2_000,
    min: 200,
    max: 600_000,
    unit: 'ms',
    about:
      'A worker silent for this long has its payments taken over; at least three times HEARTBEAT_MS. Too short costs work, never correctness.'
  })
}

export const WORKER_RULES: readonly Rule<typeof WORKER_VARIABLES>[] = [
  {
    between: ['heartbeatMs', 'deadAfterMs'],
    // One beat may fail and the next be late: whoever lives must not be taken for dead.
    wants: 'DEAD_AFTER_MS at least three times HEARTBEAT_MS',
    isKept: ({ heartbeatMs, deadAfterMs }) => deadAfterMs >= 3 * heartbeatMs
  }
]
