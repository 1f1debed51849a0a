import { integer, processName, type Rule } from '../shared/config.ts'
import { METRICS_LISTEN } from '../shared/watching/metrics/listen.ts'
import { PROCESSOR_URL_VARIABLES } from '../shared/processors.ts'
import { REDIS_URL } from '../shared/redis/connect.ts'

export const MONITOR_VARIABLES = {
  redisUrl: REDIS_URL,
  ...PROCESSOR_URL_VARIABLES,
  monitorName: processName(
    'MONITOR_NAME',
    'What people read in the status; a random part is added. Unset: the host name.'
  ),
  metricsListen: METRICS_LISTEN,
  pollEveryMs: integer('POLL_EVERY_MS', {
    default: 5_100,
    min: 5_010,
    max: 3_600_000,
    unit: 'ms',
    about: 'Time between two polls of one processor; it allows one in 5 s, also across restarts of the monitor.'
  }),
  pollTimeoutMs: integer('POLL_TIMEOUT_MS', {
    default: 4_000,
    min: 100,
    max: 60_000,
    unit: 'ms',
    about: 'How long a poll may hang before the processor counts as failing.'
  }),
  healthExpiresMs: integer('HEALTH_EXPIRES_MS', {
    default: 15_000,
    min: 6_000,
    max: 3_600_000,
    unit: 'ms',
    about:
      'How long what was published stays valid when no monitor lives; at least 1 s longer than POLL_EVERY_MS and POLL_TIMEOUT_MS together.'
  }),
  leaseMs: integer('LEASE_MS', {
    default: 3_000,
    min: 500,
    max: 60_000,
    unit: 'ms',
    about: 'How soon after the death of the active monitor another one takes over.'
  })
}

/** What a poll takes besides waiting for its time and for its answer: Redis, and a busy machine. */
const PUBLISH_MS = 1_000

export const MONITOR_RULES: readonly Rule<typeof MONITOR_VARIABLES>[] = [
  {
    between: ['pollEveryMs', 'pollTimeoutMs', 'healthExpiresMs'],
    // While a monitor lives, what it has published is replaced before it expires, also by a processor that hangs.
    wants: `HEALTH_EXPIRES_MS at least ${PUBLISH_MS} more than POLL_EVERY_MS and POLL_TIMEOUT_MS together`,
    isKept: ({ pollEveryMs, pollTimeoutMs, healthExpiresMs }) =>
      healthExpiresMs >= pollEveryMs + pollTimeoutMs + PUBLISH_MS
  }
]
