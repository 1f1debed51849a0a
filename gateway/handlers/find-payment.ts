import type { Log } from '../../shared/log.ts'
import type { Functions } from '../../shared/redis/functions.ts'
import { unavailable } from '../http/problem.ts'
import type { Handler } from '../http/router.ts'
import { parseUuid } from '../payment-body.ts'
import { renderPayment } from '../payment-status.ts'

/** `GET /payments/{correlationId}` */
export function findPayment(functions: Functions, log: Log): Handler {
  return (res, req, { replyJson, replyProblem }) => {
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
        replyProblem(res, unavailable('The payment cannot be looked up now.'))
      }
    )
  }
}
