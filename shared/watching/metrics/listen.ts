import { optionalAddress } from '../../config.ts'

/**
 * The variable every service has. What serves it is imported only where it is set: without prom-client and node:http a
 * process is
 * 7 MB smaller.
 */
export const METRICS_LISTEN = optionalAddress('METRICS_LISTEN', {
  about: 'An internal address for GET /metrics in Prometheus text format; each process wants its own. Unset: none.'
})
