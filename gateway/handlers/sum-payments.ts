import type { Log } from '../../shared/log.ts'
import type { Functions } from '../../shared/redis/functions.ts'
import { unavailable } from '../http/problem.ts'
import type { Handler } from '../http/router.ts'
import { parseRange, rangeForgotten, renderSummary } from '../summary.ts'

/** `GET /payments-summary` */
export function sumPayments(functions: Functions, log: Log): Handler {
  return (res, req, { replyJson, replyProblem }) => {
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
        replyProblem(res, unavailable('The books cannot be read now.'))
      }
    )
  }
}
