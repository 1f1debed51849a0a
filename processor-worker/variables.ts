import { integer } from '../shared/environment.ts'
import { PROCESSOR_URL_VARIABLES } from '../shared/variables.ts'
import { ROUTING_VARIABLES } from './routing-parameters.ts'

export const WORKER_VARIABLES = {
  ...PROCESSOR_URL_VARIABLES,
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
  deadAfterMs: integer('DEAD_AFTER_MS', {
    default: 2_000,
    min: 200,
    max: 600_000,
    unit: 'ms',
    about:
      'A worker silent for this long has its payments taken over; it shows four times in it that it lives. Too short costs work, never correctness.'
  })
}
