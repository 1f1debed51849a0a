import type { Log } from '../../shared/log.ts'
import { unavailable } from '../http/problem.ts'
import type { Handler } from '../http/router.ts'

const HEADERS = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }

/** `GET /status` */
export function tellStatus(statusBody: () => Promise<string>, log: Log): Handler {
  return (res, _req, { reply, replyProblem }) => {
    statusBody().then(
      body => reply(res, '200 OK', HEADERS, body),
      (error: unknown) => {
        log.error({ err: error }, 'status failed')
        replyProblem(res, unavailable('The status is not available now.'))
      }
    )
  }
}
