import type { HttpResponse } from 'uWebSockets.js'
import type { Cents } from '../../shared/money.ts'
import { unavailable, type Problem } from '../http/problem.ts'
import { readBody } from '../http/read-body.ts'
import type { Replies } from '../http/replies.ts'
import type { Handler } from '../http/router.ts'
import type { Intake, IntakeResult } from '../intake.ts'
import { decodePaymentBody } from '../payment-body.ts'
import { REFUSAL_SENTENCES, type Refusal } from '../refusal.ts'
import type { Tally } from '../tally.ts'

export type AcceptPaymentOptions = { intake: Intake; tally: Tally; maxCents: Cents; maxBodyBytes: number }

const NO_HEADERS = {}
const NO_JSON: Problem = {
  status: 415,
  detail: 'Content-Type must be application/json in UTF-8.',
  field: 'Content-Type'
}
const ENCODED: Problem = { status: 415, detail: 'Content-Encoding is not supported.', field: 'Content-Encoding' }
const CONFLICT: Problem = {
  status: 409,
  detail: 'A payment with this correlationId and another amount was accepted before.',
  field: 'amount'
}
const REFUSED: Record<Refusal, Problem> = {
  'queue-full': unavailable(REFUSAL_SENTENCES['queue-full']),
  'out-of-memory': unavailable(REFUSAL_SENTENCES['out-of-memory']),
  unreachable: unavailable(REFUSAL_SENTENCES.unreachable),
  'too-many-waiting': unavailable(REFUSAL_SENTENCES['too-many-waiting'])
}

/** Content types that mean JSON; the first form is what nearly every client sends. */
const isJson = (type: string) =>
  type === 'application/json' || /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type)

/** `POST /payments`: 202 once Redis has the payment. */
export function acceptPayment({ intake, tally, maxCents, maxBodyBytes }: AcceptPaymentOptions): Handler {
  const refuseInvalid = (res: HttpResponse, replies: Replies, problem: Problem) => {
    tally.answers.invalid += 1
    replies.replyProblem(res, problem)
  }
  const answer = (res: HttpResponse, replies: Replies, result: IntakeResult) => {
    tally.answers[result.kind] += 1
    switch (result.kind) {
      case 'accepted':
        replies.reply(res, '202 Accepted', NO_HEADERS)
        return
      case 'duplicate':
        replies.replyJson(res, '{"duplicate":true}')
        return
      case 'conflict':
        replies.replyProblem(res, CONFLICT)
        return
      case 'refused':
        replies.replyProblem(res, REFUSED[result.reason])
    }
  }

  return (res, req, replies) => {
    if (!isJson(req.getHeader('content-type'))) {
      refuseInvalid(res, replies, NO_JSON)
      return
    }
    if (req.getHeader('content-encoding') !== '') {
      refuseInvalid(res, replies, ENCODED)
      return
    }
    readBody(res, Number(req.getHeader('content-length')), maxBodyBytes, body => {
      if (body === undefined) {
        refuseInvalid(res, replies, { status: 413, detail: `The body must have at most ${maxBodyBytes} bytes.` })
        return
      }
      const decoded = decodePaymentBody(body, maxCents)
      if ('problem' in decoded) {
        refuseInvalid(res, replies, decoded.problem)
        return
      }
      intake.submit(decoded.payment, result => answer(res, replies, result))
    })
  }
}
