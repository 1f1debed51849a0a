import { integer, optionalText } from '../shared/config.ts'
import { PROCESSOR_URL_VARIABLES } from '../shared/processors.ts'
import { ID_RETENTION_HOURS } from '../shared/id-memory.ts'
import { REDIS_URL } from '../shared/redis/connect.ts'

export const WORKER_VARIABLES = {
  redisUrl: REDIS_URL,
  idRetentionHours: ID_RETENTION_HOURS,
  ...PROCESSOR_URL_VARIABLES,
  workerName: optionalText('WORKER_NAME', {
    pattern: /^[\w.-]{1,64}$/, wants: '1 to 64 letters, digits, dots, dashes or underscores',
    about: 'Name in the consumer group; a random part is added, so that two processes never share one. Unset: the host name.'
  }),
  inFlightMax: integer('IN_FLIGHT_MAX', {
    default: 800, min: 1, max: 10_000, unit: 'payments',
    about: 'Payments that this worker has at one processor at most. A processor runs 800 at once; divide by the number of workers.'
  }),
  processorTimeoutMs: integer('PROCESSOR_TIMEOUT_MS', {
    default: 15_000, min: 100, max: 300_000, unit: 'ms',
    about: 'How long a processor may take to answer. After that the outcome is unknown and is asked for; it is never paid elsewhere.'
  }),
  fallbackAfterMs: integer('FALLBACK_AFTER_MS', {
    default: 30_000, min: 0, max: 86_400_000, unit: 'ms',
    about: 'How long a payment waits for the default processor before it may go to the fallback.'
  }),
  breakerFailures: integer('BREAKER_FAILURES', {
    default: 3, min: 1, max: 1_000, unit: 'failures in a row', about: 'Opens the circuit breaker of a processor.'
  }),
  breakerOpenMs: integer('BREAKER_OPEN_MS', {
    default: 250, min: 10, max: 600_000, unit: 'ms', about: 'How long an open breaker waits before it lets one payment through as a probe.'
  }),
  exchangeEveryMs: integer('EXCHANGE_EVERY_MS', {
    default: 2, min: 0, max: 1_000, unit: 'ms',
    about: 'Least time between two round trips to Redis: what happens in between shares one. More saves CPU and delays payments.'
  }),
  heartbeatMs: integer('HEARTBEAT_MS', { default: 500, min: 50, max: 60_000, unit: 'ms', about: 'How often the worker shows that it lives.' }),
  deadAfterMs: integer('DEAD_AFTER_MS', {
    default: 2_000, min: 200, max: 600_000, unit: 'ms',
    about: 'A worker silent for this long has its payments taken over. Too short costs work, never correctness.'
  })
}
