import { createHash, timingSafeEqual } from 'node:crypto'
import { App, us_listen_socket_close, type HttpRequest, type HttpResponse, type TemplatedApp } from 'uWebSockets.js'
import type { Address } from '../shared/config.ts'
import type { Log } from '../shared/log.ts'
import type { Cents } from '../shared/money.ts'
import type { Functions } from '../shared/redis/functions.ts'
import { hasOneEnd } from './framing.ts'
import type { Intake } from './intake.ts'
import { decodePaymentBody, parseUuid } from './payment-body.ts'
import { renderPayment } from './payment-status.ts'
import { renderProblem, unavailable, type Problem } from './problem.ts'
import { parseRange, rangeForgotten, renderSummary } from './summary.ts'
import type { Tally } from './tally.ts'

export type Server = {
  /** Stops listening and lets requests that are under way have their answers. */
  close: () => Promise<void>
}

/**
 * How every handler answers: `begin` comes first in it, then one of the others, once. And what every handler is wrapped
 * in.
 */
export type Replies = {
  /** Refuses a request that says twice where its body ends, and what follows it on its connection. */
  guarded: <Rest extends unknown[]>(handler: Handler<Rest>) => Handler<Rest>
  begin: (res: HttpResponse, req: HttpRequest) => void
  reply: (res: HttpResponse, statusLine: string, headers: Record<string, string>, body?: string | Buffer) => void
  replyProblem: (res: HttpResponse, problem: Problem) => void
}

type Handler<Rest extends unknown[] = []> = (res: HttpResponse, req: HttpRequest, ...rest: Rest) => void

/** Routes of a part of their own. */
export type Routes = {
  attach: (app: TemplatedApp, replies: Replies) => void
  /** Ends what stays open between requests. */
  close: () => void
}

export type ServerOptions = {
  intake: Intake
  functions: Functions
  /** Empties queue and books; null answers 404. */
  purge: { run: () => Promise<void>; token: string | null } | null
  /** The body of `GET /status`; null answers 404. */
  status: (() => Promise<string>) | null
  /** The live page; null answers 404. */
  dashboard: Routes | null
  tally: Tally
  /** Whether Redis answers. */
  isHealthy: () => boolean
  maxCents: Cents
  maxBodyBytes: number
  log: Log
}

const NO_HEADERS = {}
const TWO_ENDS: Problem = {
  status: 400,
  detail: 'A request has one Content-Length, or "Transfer-Encoding: chunked", or neither.'
}
const NOT_FOUND: Problem = {
  status: 404,
  detail:
    'There is POST /payments, GET /payments/{correlationId}, GET /payments-summary, GET /health and, if they are open, GET /status and GET /dashboard.'
}

/** Content types that mean JSON; the first form is what nearly every client sends. */
const isJson = (type: string) =>
  type === 'application/json' || /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type)

/**
 * The HTTP interface. Every handler attaches `onAborted` before anything asynchronous, because uWebSockets.js
 * frees a response whose client has left, and answers within `cork`, which makes it one system call.
 *
 * @throws when the address is taken or not permitted
 */
export async function listen(address: Address, options: ServerOptions): Promise<Server> {
  const { intake, functions, purge, status, dashboard, tally, maxCents, maxBodyBytes, log } = options
  let isDraining = false

  /** Ends a response. While draining it also closes the connection, so that the client comes back elsewhere. */
  const reply: Replies['reply'] = (res, statusLine, headers, body) => {
    if (res.isAborted === true) return
    const isLast = isDraining || res.isLast === true
    res.cork(() => {
      res.writeStatus(statusLine)
      for (const name in headers) res.writeHeader(name, headers[name] ?? '')
      if (res.isHead === true) res.endWithoutBody(0, isLast)
      else res.end(body, isLast)
    })
  }
  const replyJson = (res: HttpResponse, body: string) => {
    reply(res, '200 OK', { 'Content-Type': 'application/json' }, body)
  }
  const replyProblem: Replies['replyProblem'] = (res, problem) => {
    const { statusLine, body } = renderProblem(problem)
    reply(res, statusLine, { 'Content-Type': 'application/problem+json', ...problem.headers }, body)
  }
  const begin: Replies['begin'] = (res, req) => {
    res.onAborted(() => {
      res.isAborted = true
    })
    res.isHead = req.getMethod() === 'head'
  }

  const refuseInvalid = (res: HttpResponse, problem: Problem) => {
    tally.answers.invalid += 1
    replyProblem(res, problem)
  }

  const guarded: Replies['guarded'] =
    handler =>
    (res, req, ...rest) => {
      if (hasOneEnd(req)) {
        handler(res, req, ...rest)
        return
      }
      begin(res, req)
      res.isLast = true
      // Not in this turn: what has come along with this request would be run after its answer, even one that closes the
      // connection. While the answer is outstanding, the library cuts the connection instead.
      setImmediate(() => {
        refuseInvalid(res, TWO_ENDS)
      })
    }

  const postPayment = (res: HttpResponse, req: HttpRequest) => {
    begin(res, req)
    if (!isJson(req.getHeader('content-type'))) {
      refuseInvalid(res, {
        status: 415,
        detail: 'Content-Type must be application/json in UTF-8.',
        field: 'Content-Type'
      })
      return
    }
    if (req.getHeader('content-encoding') !== '') {
      refuseInvalid(res, { status: 415, detail: 'Content-Encoding is not supported.', field: 'Content-Encoding' })
      return
    }
    readBody(res, Number(req.getHeader('content-length')), maxBodyBytes, body => {
      if (body === undefined) {
        refuseInvalid(res, { status: 413, detail: `The body must have at most ${maxBodyBytes} bytes.` })
        return
      }
      const decoded = decodePaymentBody(body, maxCents)
      if ('problem' in decoded) {
        refuseInvalid(res, decoded.problem)
        return
      }
      intake.submit(decoded.payment, result => {
        if (result === 'accepted') reply(res, '202 Accepted', NO_HEADERS)
        else if (result === 'duplicate') replyJson(res, '{"duplicate":true}')
        else replyProblem(res, result)
      })
    })
  }

  const getPayment = (res: HttpResponse, req: HttpRequest) => {
    begin(res, req)
    const correlationId = parseUuid(req.getParameter(0) ?? '')
    if (correlationId === undefined) {
      replyProblem(res, {
        status: 400,
        detail: 'correlationId must be a UUID in its text form.',
        field: 'correlationId'
      })
      return
    }
    functions.find(correlationId).then(
      whereabouts => {
        if (whereabouts) replyJson(res, renderPayment(correlationId, whereabouts))
        else replyProblem(res, { status: 404, detail: 'No payment with this correlationId is remembered.' })
      },
      (error: unknown) => {
        log.debug({ err: error }, 'find failed')
        replyProblem(res, unavailable('The payment can not be looked up now.'))
      }
    )
  }

  const getSummary = (res: HttpResponse, req: HttpRequest) => {
    begin(res, req)
    const parsed = parseRange(req.getQuery('from'), req.getQuery('to'))
    if ('problem' in parsed) {
      replyProblem(res, parsed.problem)
      return
    }
    functions.sum(parsed.range).then(
      sums => {
        if (sums.kind === 'sums') replyJson(res, renderSummary(sums.totals))
        else replyProblem(res, rangeForgotten(parsed.range, sums.exactSince))
      },
      (error: unknown) => {
        log.debug({ err: error }, 'summary failed')
        replyProblem(res, unavailable('The books can not be read now.'))
      }
    )
  }

  const postPurge = (res: HttpResponse, req: HttpRequest) => {
    begin(res, req)
    if (purge === null) {
      replyProblem(res, NOT_FOUND)
      return
    }
    if (purge.token !== null && !isSameSecret(req.getHeader('authorization'), `Bearer ${purge.token}`)) {
      const headers = { 'WWW-Authenticate': 'Bearer' }
      replyProblem(res, {
        status: 401,
        detail: 'A purge wants the header "Authorization: Bearer <token>".',
        field: 'Authorization',
        headers
      })
      return
    }
    purge.run().then(
      () => {
        replyJson(res, '{"message":"Queue and books are empty."}')
      },
      (error: unknown) => {
        log.error({ err: error }, 'purge failed')
        replyProblem(res, unavailable('The purge was not completed; repeat it.'))
      }
    )
  }

  const getHealth = (res: HttpResponse, req: HttpRequest) => {
    begin(res, req)
    if (isDraining) replyProblem(res, unavailable('This gateway is stopping.'))
    else if (!options.isHealthy()) replyProblem(res, unavailable('Redis does not answer.'))
    else replyJson(res, '{"status":"ok"}')
  }

  const getStatus = (res: HttpResponse, req: HttpRequest) => {
    begin(res, req)
    status?.().then(
      body => {
        reply(res, '200 OK', { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }, body)
      },
      (error: unknown) => {
        log.error({ err: error }, 'status failed')
        replyProblem(res, unavailable('The status can not be told now.'))
      }
    )
  }

  const anyOther = (res: HttpResponse, req: HttpRequest) => {
    begin(res, req)
    replyProblem(res, NOT_FOUND)
  }
  const onlyAllow = (method: string) => (res: HttpResponse, req: HttpRequest) => {
    begin(res, req)
    replyProblem(res, { status: 405, detail: `Use ${method} here.`, headers: { Allow: method } })
  }

  const app = App()
    .filter((_, change) => {
      tally.connections += change
    })
    .post('/payments', guarded(postPayment))
    .any('/payments', guarded(onlyAllow('POST')))
    .get('/payments/:correlationId', guarded(getPayment))
    .any('/payments/:correlationId', guarded(onlyAllow('GET')))
    .get('/payments-summary', guarded(getSummary))
    .any('/payments-summary', guarded(onlyAllow('GET')))
    .get('/health', guarded(getHealth))
    .any('/health', guarded(onlyAllow('GET')))
    .get('/status', guarded(status ? getStatus : anyOther))
    .any('/status', guarded(status ? onlyAllow('GET') : anyOther))
    .post('/purge-payments', guarded(postPurge))
    .any('/purge-payments', guarded(purge ? onlyAllow('POST') : anyOther))
    .any('/*', guarded(anyOther))
  dashboard?.attach(app, { guarded, begin, reply, replyProblem })

  const socket = await new Promise<Parameters<typeof us_listen_socket_close>[0]>((resolve, reject) => {
    const onListen = (listening: Parameters<typeof us_listen_socket_close>[0] | false) => {
      if (listening) resolve(listening)
      else
        reject(
          new Error(
            `can't listen on ${address.kind === 'unix' ? address.path : `${address.host}:${address.port}`}: taken or not permitted`
          )
        )
    }
    if (address.kind === 'unix') app.listen_unix(onListen, address.path)
    else app.listen(address.host, address.port, onListen)
  })

  return {
    async close() {
      isDraining = true
      us_listen_socket_close(socket)
      dashboard?.close()
      await intake.drained()
      app.close()
    }
  }
}

/**
 * Collects a body of at most `maxBytes`, then calls back once: with undefined if it is larger. The buffer is valid
 * within the call only.
 */
function readBody(
  res: HttpResponse,
  declaredBytes: number,
  maxBytes: number,
  done: (body: Buffer | undefined) => void
): void {
  if (declaredBytes > maxBytes) {
    done(undefined)
    return
  }
  let collected: Buffer | undefined
  let isDone = false
  res.onData((chunk, isLast) => {
    if (isDone) return
    const part = Buffer.from(chunk)
    isDone = isLast || (collected?.length ?? 0) + part.length > maxBytes
    if ((collected?.length ?? 0) + part.length > maxBytes) done(undefined)
    // The chunk is gone after this call: what comes in several parts is copied, the usual single part is not.
    else if (isLast) done(collected ? Buffer.concat([collected, part]) : part)
    else collected = collected ? Buffer.concat([collected, part]) : Buffer.from(part)
  })
}

/** Compares in constant time, whatever the lengths. */
function isSameSecret(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}
