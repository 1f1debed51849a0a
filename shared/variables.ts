import { httpOrigin, integer, oneOf, optionalAddress, optionalText, type Variable } from './environment.ts'

/** `redis://host:6379/0`, `rediss://…` for TLS, or `unix:/path/redis.sock`. */
export const REDIS_URL: Variable<string> = {
  name: 'REDIS_URL',
  about:
    'The Redis that holds queue, totals and health. User and password may stand in the URL; they are never logged.',
  default: 'redis://127.0.0.1:6379',
  wants: 'redis://HOST:PORT, rediss://HOST:PORT or unix:/absolute/path.sock',
  isSecret: true,
  parse: text => {
    if (text.startsWith('unix:/')) return text
    if (!URL.canParse(text)) return undefined
    const url = new URL(text)
    return /^rediss?:$/.test(url.protocol) && url.hostname !== '' ? text : undefined
  }
}

/** What every service reads. */
export const SERVICE_VARIABLES = {
  logLevel: oneOf('LOG_LEVEL', ['trace', 'debug', 'info', 'warn', 'error', 'silent'], {
    default: 'info',
    about: 'Least severe level that is written. One JSON line an event on stdout, never one a payment at info.'
  }),
  name: optionalText('NAME', {
    pattern: /^[\w.-]{1,64}$/,
    wants: '1 to 64 letters, digits, dots, dashes or underscores',
    about:
      'What the process is called in the status and, of a worker, in the consumer group; a random part is added. Unset: the host name.'
  }),
  drainMs: integer('DRAIN_MS', {
    default: 5_000,
    min: 0,
    max: 600_000,
    unit: 'ms',
    about:
      'How long SIGTERM waits for work in hand before the process leaves anyway. Nothing accepted is lost either way.'
  }),
  aliveFile: optionalText('ALIVE_FILE', {
    pattern: /^\/./,
    wants: 'an absolute path',
    about:
      'A file that is touched every second once the service is ready, while its event loop turns, for health checks. Unset: none.'
  }),
  metricsListen: optionalAddress('METRICS_LISTEN', {
    about: 'An internal address for GET /metrics in Prometheus text format; each process wants its own. Unset: none.'
  }),
  redisUrl: REDIS_URL
}

/** Where the two processors are; worker and health monitor read these. */
export const PROCESSOR_URL_VARIABLES = {
  defaultProcessorUrl: httpOrigin('DEFAULT_PROCESSOR_URL', {
    default: 'http://payment-processor-default:8080',
    about: 'The processor with the lower fee.'
  }),
  fallbackProcessorUrl: httpOrigin('FALLBACK_PROCESSOR_URL', {
    default: 'http://payment-processor-fallback:8080',
    about: 'The processor with the higher fee.'
  })
}

/** How long ids are remembered; gateways and `redrive` read it. */
export const ID_RETENTION_HOURS = integer('ID_RETENTION_HOURS', {
  default: 24,
  min: 1,
  max: 8_760,
  unit: 'hours',
  about:
    'How long a correlationId is remembered at least, and twice as long at most. A change counts for what is accepted from then on; of several gateways the longest counts.'
})

/** Variables of version 0.1 that were removed, and what replaces each. */
const RETIRED_VARIABLES: Record<string, string> = {
  GATEWAY_NAME: 'NAME',
  WORKER_NAME: 'NAME',
  MONITOR_NAME: 'NAME',
  HEARTBEAT_MS: 'a quarter of DEAD_AFTER_MS',
  HEALTH_EXPIRES_MS: '5 s more than POLL_EVERY_MS and POLL_TIMEOUT_MS together',
  LEASE_MS: '3 s',
  MAX_BODY_BYTES: '4096 bytes',
  MAX_WAITING_PAYMENTS: '10000 payments',
  BOTH_BACK_WAIT_MS: '6 s',
  OWN_WORD_MS: '10 s'
}

/** A sentence for each variable that is set and that nobody reads any more, so that it is not ignored in silence. */
export function retiredIn(environment: NodeJS.ProcessEnv): string[] {
  return Object.entries(RETIRED_VARIABLES)
    .filter(([name]) => (environment[name] ?? '') !== '')
    .map(([name, instead]) => `${name} is not a setting any more; in its place: ${instead}`)
}
