import type { Log } from '../shared/log.ts'
import type { Payment } from '../shared/payment.ts'
import { replyErrorCode } from '../shared/redis/errors.ts'
import type { Acceptance } from '../shared/redis/accepting.ts'
import type { Functions } from '../shared/redis/functions.ts'
import { addSample } from '../shared/watching/histogram.ts'
import { REFUSAL_SENTENCES, type Refusal } from './refusal.ts'
import type { Tally } from './tally.ts'

/**
 * What became of a payment. Accepted or duplicate: Redis has it, now or since an earlier request. Conflict: it has
 * another amount under this id. Refused: nothing has changed, or, where Redis was unreachable, nobody knows.
 */
export type IntakeResult =
  { kind: 'accepted' } | { kind: 'duplicate' } | { kind: 'conflict' } | { kind: 'refused'; reason: Refusal }

type Answer = (result: IntakeResult) => void

export type Intake = {
  /** Queues a payment; `answer` is called exactly once, after Redis has acknowledged it or failed. */
  submit: (payment: Payment, answer: Answer) => void
  /** Resolves when every submitted payment has its answer. */
  drained: () => Promise<void>
}

type Limits = { queuedMax: number; waitingMax: number }

/** One call holds this many at most, so that it never keeps Redis busy for more than about a millisecond. */
const BATCH_MAX = 256

// Made once: a payment costs no object for its result.
const RESULTS: Record<Acceptance, IntakeResult> = {
  accepted: { kind: 'accepted' },
  duplicate: { kind: 'duplicate' },
  conflict: { kind: 'conflict' },
  full: { kind: 'refused', reason: 'queue-full' }
}
const OUT_OF_MEMORY = { kind: 'refused', reason: 'out-of-memory' } as const
const UNREACHABLE = { kind: 'refused', reason: 'unreachable' } as const
const TOO_MANY_WAITING = { kind: 'refused', reason: 'too-many-waiting' } as const

/**
 * Payments that arrive in one turn of the event loop go to Redis in one call: a third of what a call for each of them
 * costs. The number that waits for an answer is bounded.
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
  const noteTrouble = createTroubleNotes(tally, log)
  let payments: Payment[] = []
  let answers: Answer[] = []
  let firstAtMs = 0
  let waitingCount = 0
  let notifyDrained: (() => void) | undefined

  const finish = (answer: Answer, result: IntakeResult) => {
    waitingCount -= 1
    answer(result)
    if (waitingCount === 0) notifyDrained?.()
  }

  const send = async (batch: Payment[], batchAnswers: Answer[], startedAtMs: number) => {
    try {
      const acceptances = await functions.accept(batch, limits.queuedMax)
      noteTrouble(acceptances.includes('full') ? 'queue-full' : undefined)
      batchAnswers.forEach((answer, index) => finish(answer, RESULTS[acceptances[index] ?? 'full']))
    } catch (error) {
      const result = replyErrorCode(error) === 'OOM' ? OUT_OF_MEMORY : UNREACHABLE
      noteTrouble(result.reason)
      log.debug({ err: error }, 'accept failed')
      for (const answer of batchAnswers) finish(answer, result)
    }
    // One clock reading for all of them: they came in one turn and went in one.
    addSample(tally.latency, performance.now() - startedAtMs, batch.length)
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
        answer(TOO_MANY_WAITING)
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

/**
 * Keeps `tally.refusing` in line with the result of the last batch, and logs one line when trouble begins and one when
 * it ends, not one a payment. To be called before the answers of the batch, which `tally.answers` counts.
 */
function createTroubleNotes(tally: Tally, log: Log): (refusal: Refusal | undefined) => void {
  let refusedBefore = 0
  return refusal => {
    const before = tally.refusing
    if (refusal === undefined) {
      tally.refusing = null
      if (before)
        log.warn(
          { refused: tally.answers.refused - refusedBefore, afterMs: Date.now() - before.sinceMs },
          'accepting payments again'
        )
      return
    }
    const reason = REFUSAL_SENTENCES[refusal]
    if (before === null) {
      refusedBefore = tally.answers.refused
      log.error({ reason }, 'refusing payments')
    }
    tally.refusing = { reason, sinceMs: before?.sinceMs ?? Date.now() }
  }
}
