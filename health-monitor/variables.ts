import { integer } from '../shared/environment.ts'
import { PROCESSOR_URL_VARIABLES } from '../shared/variables.ts'

export const MONITOR_VARIABLES = {
  ...PROCESSOR_URL_VARIABLES,
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
  })
}
