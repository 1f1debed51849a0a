import type { Log } from '../shared/log.ts'
import type { Functions } from '../shared/redis/functions.ts'
import { acceptPayment, type AcceptPaymentOptions } from './handlers/accept-payment.ts'
import { findPayment } from './handlers/find-payment.ts'
import { tellHealth } from './handlers/health.ts'
import { purgePayments, type Purge } from './handlers/purge-payments.ts'
import { tellStatus } from './handlers/status.ts'
import { sumPayments } from './handlers/sum-payments.ts'
import type { Handler, Route, Socket } from './http/router.ts'

/** The live page, at its paths. */
export type Dashboard = {
  page: Handler
  /** One of the files of the page, by the parameter of its path. */
  file: Handler
  live: Socket
  /** Ends what stays open between requests. */
  close: () => void
}

export type RoutesOptions = AcceptPaymentOptions & {
  functions: Functions
  /** Null closes it. */
  purge: Purge | null
  /** The body of `GET /status`; null closes it. */
  status: (() => Promise<string>) | null
  /** Null closes it. */
  dashboard: Dashboard | null
  /** Whether Redis answers. */
  isHealthy: () => boolean
  isDraining: () => boolean
  log: Log
}

/** All that a client can ask a gateway, in the order in which the 404 names it. */
export function createRoutes(options: RoutesOptions): Route[] {
  const { functions, purge, status, dashboard, isHealthy, isDraining, log } = options
  return [
    { method: 'POST', path: '/payments', handle: acceptPayment(options), named: 'always' },
    { method: 'GET', path: '/payments/:correlationId', handle: findPayment(functions, log), named: 'always' },
    { method: 'GET', path: '/payments-summary', handle: sumPayments(functions, log), named: 'always' },
    { method: 'GET', path: '/health', handle: tellHealth(isHealthy, isDraining), named: 'always' },
    { method: 'GET', path: '/status', handle: status && tellStatus(status, log), named: 'if-open' },
    { method: 'GET', path: '/dashboard', handle: dashboard?.page ?? null, named: 'if-open' },
    { method: 'WebSocket', path: '/dashboard/live', handle: dashboard?.live ?? null, named: 'never' },
    { method: 'GET', path: '/dashboard/:file', handle: dashboard?.file ?? null, named: 'never' },
    { method: 'POST', path: '/purge-payments', handle: purge && purgePayments(purge, log), named: 'never' }
  ]
}
