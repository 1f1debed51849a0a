import type { Log } from '../shared/log.ts'
import type { Payment } from '../shared/payment.ts'
import { replyErrorCode, type Acceptance, type Functions } from '../shared/redis/functions.ts'
import { record } from '../shared/report/histogram.ts'
import type { AcceptOutcome } from '../shared/report/report.ts'
import { unavailable, type Problem } from './problem.ts'
import type { Tally } from './tally.ts'

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

/**
 * Under load a gateway looks at its sockets once in so long instead of each time that something happens: a call for one payment costs Redis
 * 150 µs of CPU with its sync to the disk, one for ten 24 µs a payment (test/bench/persistence.ts). Network cards do the same with
 * their interrupts. What it gives and costs: docs/performance.md.
 */
const COALESCE_MS = 1
/** Payments of one call that show that there is such a load; from so many on a call is cheap enough as it is. */
const COALESCE_FROM = 3
const COALESCE_UNTIL = 16
const NEVER_SET = new Int32Array(new SharedArrayBuffer(4))

const QUEUE_FULL = unavailable('The queue is full.')
const OUT_OF_MEMORY = unavailable('The queue is out of memory.')
const UNREACHABLE = unavailable('The queue can not be reached. The payment may have been kept: send it again with the same correlationId.')
const TOO_MANY = unavailable('Too many payments are waiting for the queue.')
const CONFLICT: Problem = { status: 409, detail: 'A payment with this correlationId and another amount was accepted before.', field: 'amount' }

/** Until all sockets that had something to read have been read: that comes before the check phase of the event loop. */
const turn = () => new Promise(setImmediate)

function resultOf(acceptance: Acceptance | undefined): Parameters<Answer>[0] {
  return acceptance === 'accepted' || acceptance === 'duplicate' ? acceptance : acceptance === 'conflict' ? CONFLICT : QUEUE_FULL
}

function outcomeOf(result: Parameters<Answer>[0]): AcceptOutcome {
  return result === CONFLICT ? 'conflict' : typeof result === 'string' ? result : 'refused'
}

/**
 * One call to Redis at a time: payments that arrive while it is under way travel together in the next, so that batches grow
 * with the load by themselves. The number that waits for an answer is bounded.
 */
export function createIntake({ functions, limits, tally, log }: { functions: Functions; limits: Limits; tally: Tally; log: Log }): Intake {
  const payments: Payment[] = []
  const answers: Answer[] = []
  let firstAtMs = 0
  let isSending = false
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
      if (before) log.warn({ refused: tally.answers.refused - refusedBefore, afterMs: Date.now() - before.sinceMs }, 'accepting payments again')
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
      batchAnswers.forEach((answer, index) => { finish(answer, resultOf(acceptances[index])) })
    } catch (error) {
      const problem = replyErrorCode(error) === 'OOM' ? OUT_OF_MEMORY : UNREACHABLE
      noteTrouble(problem.detail)
      log.debug({ err: error }, 'accept failed')
      for (const answer of batchAnswers) finish(answer, problem)
    }
    // One clock reading for all of them, when the first of them came.
    record(tally.latency, performance.now() - startedAtMs, batch.length)
  }

  /** Sends what has gathered until nothing has. */
  const sendAll = async () => {
    while (payments.length > 0) {
      const batch = payments.splice(0, BATCH_MAX)
      await send(batch, answers.splice(0, BATCH_MAX), firstAtMs)
      if (batch.length >= COALESCE_FROM && batch.length < COALESCE_UNTIL) {
        Atomics.wait(NEVER_SET, 0, 0, COALESCE_MS)
        await turn()
      }
      await turn()
    }
    isSending = false
  }

  return {
    submit(payment, answer) {
      if (waitingCount >= limits.waitingMax) {
        tally.answers.refused += 1
        answer(TOO_MANY)
        return
      }
      waitingCount += 1
      if (payments.push(payment) === 1) firstAtMs = performance.now()
      answers.push(answer)
      if (isSending) return
      isSending = true
      void turn().then(sendAll)
    },
    async drained() {
      if (waitingCount > 0) await new Promise<void>(resolve => { notifyDrained = resolve })
    }
  }
}
