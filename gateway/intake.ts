import type { Log } from '../shared/log.ts'
import type { Payment } from '../shared/payment.ts'
import { replyErrorCode, type Acceptance, type Functions } from '../shared/redis/functions.ts'
import { record } from '../shared/watching/histogram.ts'
import type { AcceptOutcome } from '../shared/watching/report.ts'
import { unavailable, type Problem } from './problem.ts'
import type { Tally } from './tally.ts'

/**
 * Redis has the payment, now or since an earlier request; or a problem, and nothing has changed or it has to be sent
 * again.
 */
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
const UNREACHABLE = unavailable(
  'The queue can not be reached. The payment may have been kept: send it again with the same correlationId.'
)
const TOO_MANY = unavailable('Too many payments are waiting for the queue.')
const CONFLICT: Problem = {
  status: 409,
  detail: 'A payment with this correlationId and another amount was accepted before.',
  field: 'amount'
}

function resultOf(acceptance: Acceptance | undefined): Parameters<Answer>[0] {
  return acceptance === 'accepted' || acceptance === 'duplicate'
    ? acceptance
    : acceptance === 'conflict'
      ? CONFLICT
      : QUEUE_FULL
}

function outcomeOf(result: Parameters<Answer>[0]): AcceptOutcome {
  return result === CONFLICT ? 'conflict' : typeof result === 'string' ? result : 'refused'
}

/**
 * Payments that arrive in one turn of the event loop travel to Redis in one call, which costs a third of a
 * call each. The number that waits for an answer is bounded.
 */
export function createIntake({
  functions,
  limits,
  tally,
  log
}: {
  functions: Functions
  limits: Limits
  tally: Tally
  log: Log
}): Intake {
  let payments: Payment[] = []
  let answers: Answer[] = []
  let firstAtMs = 0
  let waitingCount = 0
  let refusedBefore = 0
  let notifyDrained: (() => void) | undefined

  const finish = (answer: Answer, result: Parameters<Answer>[0]) => {
    waitingCount -= 1
    tally.answers[outcomeOf(result)] += 1
    answer(result)
    if (waitingCount === 0) notifyDrained?.()
  }

  /** One line when trouble begins and one when it ends, not one a payment. */
  const noteTrouble = (reason: string | undefined) => {
    const before = tally.refusing
    if (reason === undefined) {
      tally.refusing = null
      if (before)
        log.warn(
          { refused: tally.answers.refused - refusedBefore, afterMs: Date.now() - before.sinceMs },
          'accepting payments again'
        )
      return
    }
    if (before === null) {
      refusedBefore = tally.answers.refused
      log.error({ reason }, 'refusing payments')
    }
    tally.refusing = { reason, sinceMs: before?.sinceMs ?? Date.now() }
  }

  const send = async (batch: Payment[], batchAnswers: Answer[], startedAtMs: number) => {
    try {
      const acceptances = await functions.accept(batch, limits.queuedMax)
      noteTrouble(acceptances.includes('full') ? QUEUE_FULL.detail : undefined)
      batchAnswers.forEach((answer, index) => {
        finish(answer, resultOf(acceptances[index]))
      })
    } catch (error) {
      const problem = replyErrorCode(error) === 'OOM' ? OUT_OF_MEMORY : UNREACHABLE
      noteTrouble(problem.detail)
      log.debug({ err: error }, 'accept failed')
      for (const answer of batchAnswers) finish(answer, problem)
    }
    // One clock reading for all of them: they came in one turn and went in one.
    record(tally.latency, performance.now() - startedAtMs, batch.length)
  }

  const flush = () => {
    const [allPayments, allAnswers, startedAtMs] = [payments, answers, firstAtMs]
    payments = []
    answers = []
    for (let at = 0; at < allPayments.length; at += BATCH_MAX) {
      void send(allPayments.slice(at, at + BATCH_MAX), allAnswers.slice(at, at + BATCH_MAX), startedAtMs)
    }
  }

  return {
    submit(payment, answer) {
      if (waitingCount >= limits.waitingMax) {
        tally.answers.refused += 1
        answer(TOO_MANY)
        return
      }
      waitingCount += 1
      if (payments.push(payment) === 1) {
        firstAtMs = performance.now()
        // The check phase comes after all sockets of this turn were read.
        setImmediate(flush)
      }
      answers.push(answer)
    },
    async drained() {
      if (waitingCount > 0)
        await new Promise<void>(resolve => {
          notifyDrained = resolve
        })
    }
  }
}
