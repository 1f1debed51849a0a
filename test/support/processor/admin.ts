import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js'
import { readBody, reply, watchAbort } from './http.ts'
import { decimal, parseObject, parseTime } from './payment.ts'
import type { Processor } from './processor.ts'

const DELAY_MAX_MS = 3_600_000

/**
 * `/admin/*`, each call with the header `X-Rinha-Token`:
 *
 *   GET  /admin/payments-summary?from&to   totals over requestedAt in [from, to]; over everything if one is missing
 *   PUT  /admin/configurations/token       { "token": text }         204
 *   PUT  /admin/configurations/delay       { "delay": ms }           200
 *   PUT  /admin/configurations/failure     { "failure": boolean }    200
 *   POST /admin/purge-payments             200
 *
 * and, which no real processor has:
 *
 *   GET, PUT /admin/faults                 see faults.ts
 *   PUT  /admin/hold                       { "hold": boolean }       200; payments stop behind the delay until it is
 *     false
 *   GET  /admin/state                      { running, queued, bookings, answered: { "200": n, "cut": n, … } }, so that
 *                                          a test can wait for what it needs to be under way
 */
export function addAdminRoutes(app: TemplatedApp, processor: Processor): void {
  type Handler = (res: HttpResponse, req: HttpRequest) => void
  const withToken =
    (handler: Handler): Handler =>
    (res, req) => {
      watchAbort(res)
      if (req.getHeader('x-rinha-token') === processor.token) handler(res, req)
      else reply(res, 401, '{"message":"X-Rinha-Token is wrong"}')
    }
  /** `apply` returns what is wrong with the body. */
  const withBody = (status: number, apply: (body: Record<string, unknown>) => string | undefined): Handler => {
    return withToken(res => {
      readBody(res, text => {
        const body = parseObject(text)
        const problem = body === undefined ? 'the body must be a JSON object' : apply(body)
        if (problem === undefined) reply(res, status, status === 204 ? '' : '{"message":"done"}')
        else reply(res, 400, JSON.stringify({ message: problem }))
      })
    })
  }

  app
    .get(
      '/admin/payments-summary',
      withToken((res, req) => {
        const from = parseBound(req.getQuery('from'))
        const to = parseBound(req.getQuery('to'))
        if (from === 'bad' || to === 'bad') reply(res, 400, '{"message":"from and to must be ISO 8601 times"}')
        else reply(res, 200, renderSummary(processor, from, to))
      })
    )
    .put(
      '/admin/configurations/token',
      withBody(204, ({ token }) => {
        if (typeof token !== 'string' || token === '') return 'token must be a text'
        processor.token = token
        return undefined
      })
    )
    .put(
      '/admin/configurations/delay',
      withBody(200, ({ delay }) => {
        const isDelay = Number.isInteger(delay) && (delay as number) >= 0 && (delay as number) <= DELAY_MAX_MS
        if (!isDelay) return `delay must be whole milliseconds, at most ${DELAY_MAX_MS}`
        processor.delayMs = delay as number
        return undefined
      })
    )
    .put(
      '/admin/configurations/failure',
      withBody(200, ({ failure }) => {
        if (typeof failure !== 'boolean') return 'failure must be true or false'
        processor.isFailing = failure
        return undefined
      })
    )
    .post(
      '/admin/purge-payments',
      withToken(res => {
        processor.purge()
        reply(res, 200, '{"message":"All payments purged."}')
      })
    )
    .put(
      '/admin/faults',
      withBody(200, body => processor.faults.replace(body))
    )
    .get(
      '/admin/faults',
      withToken(res => reply(res, 200, JSON.stringify(processor.faults)))
    )
    .put(
      '/admin/hold',
      withBody(200, ({ hold }) => {
        if (typeof hold !== 'boolean') return 'hold must be true or false'
        processor.hold(hold)
        return undefined
      })
    )
    .get(
      '/admin/state',
      withToken(res => {
        const { running, queued, bookings, answered } = processor
        reply(res, 200, JSON.stringify({ running, queued, bookings, answered }))
      })
    )
}

function parseBound(text: string | undefined): number | 'bad' | undefined {
  if (text === undefined || text === '') return undefined
  return parseTime(text) ?? 'bad'
}

function renderSummary(processor: Processor, fromMs: number | undefined, toMs: number | undefined): string {
  const hasRange = fromMs !== undefined && toMs !== undefined
  const { requests, cents } = hasRange ? processor.totals(fromMs, toMs) : processor.totals()
  const { feeBasisPoints } = processor
  const fee = decimal(BigInt(cents) * BigInt(feeBasisPoints), 6)
  return (
    `{"totalRequests":${requests},"totalAmount":${decimal(BigInt(cents), 2)},` +
    `"totalFee":${fee},"feePerTransaction":${decimal(BigInt(feeBasisPoints), 4)}}`
  )
}
