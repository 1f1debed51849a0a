import { unavailable } from '../http/problem.ts'
import type { Handler } from '../http/router.ts'

/** `GET /health`, by which HAProxy knows who may be asked. */
export function tellHealth(doesRedisAnswer: () => boolean, isDraining: () => boolean): Handler {
  return (res, _req, { replyJson, replyProblem }) => {
    if (isDraining()) replyProblem(res, unavailable('This gateway is stopping.'))
    else if (!doesRedisAnswer()) replyProblem(res, unavailable('Redis does not answer.'))
    else replyJson(res, '{"status":"ok"}')
  }
}
