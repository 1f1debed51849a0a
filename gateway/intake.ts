import type { Log } from '../shared/log.ts'
import type { Payment } from '../shared/payment.ts'
import { replyErrorCode, type Acceptance, type Functions } from '../shared/redis/functions.ts'
import { unavailable, type Problem } from './problem.ts'

/** Redis has the payment, now or since an earlier request; or a problem, and nothing has changed or it has to be sent again. */
export type Answer = (result: 'accepted' | 'duplicate' | Problem) => void

export type Intake = {
  /** Queues a payment; `answer` is called exactly once, after Redis has acknowledged it or failed. */
  submit: (payment: Payment, answer: Answer) => void
  /** Resolves when every submitted payment has its answer. */
  drained: () => Promise<void>
}

type Limits = { queuedMax: number; waitingMax: number }

/** One call holds this many at most, so that it never keeps Redis busy for more than about a millisecond. */
const BATCH_MAX = 256

const QUEUE_FULL = unavailable('The queue is full.')
const OUT_OF_MEMORY = unavailable('The queue is out of memory.')
const UNREACHABLE = unavailable('The queue can not be reached. The payment may have been kept: send it again with the same correlationId.')
const TOO_MANY = unavailable('Too many payments are waiting for the queue.')
const CONFLICT: Problem = { status: 409, detail: 'A payment with this correlationId and another amount was accepted before.', field: 'amount' }

function resultOf(acceptance: Acceptance | undefined): Parameters<Answer>[0] {
  return acceptance === 'accepted' || acceptance === 'duplicate' ? acceptance : acceptance === 'conflict' ? CONFLICT : QUEUE_FULL
}

/**
 * Payments that arrive in one turn of the event loop travel to Redis in one call, which costs a third of a
 * call each. The number that waits for an answer is bounded.
 */
export function createIntake({ functions, limits, log }: { functions: Functions; limits: Limits; log: Log }): Intake {
  let payments: Payment[] = []
  let answers: Answer[] = []
  let waitingCount = 0
  let isRefusing = false
  let notifyDrained: (() => void) | undefined

  const finish = (answer: Answer, result: Parameters<Answer>[0]) => {
    waitingCount -= 1
    answer(result)
    if (waitingCount === 0) notifyDrained?.()
  }

  /** One line when trouble begins and one when it ends, not one a payment. */
  const noteTrouble = (reason: string | undefined) => {
    if (reason !== undefined && !isRefusing) log.error({ reason }, 'refusing payments')
    if (reason === undefined && isRefusing) log.warn('accepting payments again')
    isRefusing = reason !== undefined
  }

  const send = async (batch: Payment[], batchAnswers: Answer[]) => {
    try {
      const acceptances = await functions.accept(batch, limits.queuedMax)
      noteTrouble(acceptances.includes('full') ? QUEUE_FULL.detail : undefined)
      batchAnswers.forEach((answer, index) => { finish(answer, resultOf(acceptances[index])) })
    } catch (error) {
      const problem = replyErrorCode(error) === 'OOM' ? OUT_OF_MEMORY : UNREACHABLE
      noteTrouble(problem.detail)
      log.debug({ err: error }, 'accept failed')
      for (const answer of batchAnswers) finish(answer, problem)
    }
  }

  const flush = () => {
    const [allPayments, allAnswers] = [payments, answers]
    payments = []
    answers = []
    for (let at = 0; at < allPayments.length; at += BATCH_MAX) {
      void send(allPayments.slice(at, at + BATCH_MAX), allAnswers.slice(at, at + BATCH_MAX))
    }
  }

  return {
    submit(payment, answer) {
      if (waitingCount >= limits.waitingMax) {
        answer(TOO_MANY)
        return
      }
      waitingCount += 1
      // The check phase comes after all sockets of this turn were read.
      if (payments.push(payment) === 1) setImmediate(flush)
      answers.push(answer)
    },
    async drained() {
      if (waitingCount > 0) await new Promise<void>(resolve => { notifyDrained = resolve })
    }
  }
}
