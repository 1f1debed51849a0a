import { createHash, timingSafeEqual } from 'node:crypto'
import type { Log } from '../../shared/log.ts'
import { unavailable, type Problem } from '../http/problem.ts'
import type { Handler } from '../http/router.ts'

/** `run` empties queue and books; without a token anybody may ask for it. */
export type Purge = { run: () => Promise<void>; token: string | null }

const WANTS_TOKEN: Problem = {
  status: 401,
  detail: 'A purge wants the header "Authorization: Bearer <token>".',
  field: 'Authorization',
  headers: { 'WWW-Authenticate': 'Bearer' }
}

/** `POST /purge-payments` */
export function purgePayments({ run, token }: Purge, log: Log): Handler {
  return (res, req, { replyJson, replyProblem }) => {
    if (token !== null && !isSameSecret(req.getHeader('authorization'), `Bearer ${token}`)) {
      replyProblem(res, WANTS_TOKEN)
      return
    }
    run().then(
      () => replyJson(res, '{"message":"Queue and books are empty."}'),
      (error: unknown) => {
        log.error({ err: error }, 'purge failed')
        replyProblem(res, unavailable('The purge was not completed; repeat it.'))
      }
    )
  }
}

/** Compares in constant time, whatever the lengths. */
function isSameSecret(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}
