import { isUuid } from '../../shared/id-memory.ts'
import { centsFromDecimal, centsFromDigits } from '../../shared/money.ts'
import { PROCESSOR_NAMES, type Payment, type ProcessorName } from '../../shared/payment.ts'
import type { Choice } from '../../shared/redis/attempt-record.ts'
import type { LookupOutcome } from '../outcome.ts'

// A payment in flight is not in our books, and may be in its processor's. Which of both is found out for each by
// itself: what a processor has of it both before and after it answered with the sum of its books, it had in that sum.

/** Both ends included. */
export type Range = { fromMs: number; toMs: number }

export type InFlight = {
  /** Its entry in the queue. */
  entryId: string
  /** Where it may be booked, and since when; undefined if its record is none. */
  choice: Choice | undefined
  /** Undefined if the queue has no such entry, or one that is no payment. */
  payment: Payment | undefined
}

/** What both processors answered to the question for one payment. */
export type Answers = Record<ProcessorName, LookupOutcome>

export type Judgement = {
  /** What stands in these processors' sums and is not in ours yet. */
  booked: { processor: ProcessorName; cents: number }[]
  /** Where nobody can tell whether it does. */
  unclear: ProcessorName[]
  /** What is wrong with it in words, if anything. */
  difference: string | undefined
}

const ENTRY_ID = /^(\d{1,15})-\d{1,15}$/

/** { name, value, … } of an entry of the queue. */
export function paymentOfEntry(fields: readonly string[]): Payment | undefined {
  const value = (name: string) =>
    fields[fields.findIndex((field, index) => index % 2 === 0 && field === name) + 1] ?? ''
  const [correlationId, cents] = [value('correlationId'), centsFromDigits(value('cents'))]
  return isUuid(correlationId) && cents !== undefined ? { correlationId, cents } : undefined
}

export function isEntryId(text: string): boolean {
  return ENTRY_ID.test(text)
}

/** When it was sent, or, if its record does not tell, when it was accepted; null if nothing tells. */
export function sentAtMs({ choice, entryId }: Pick<InFlight, 'choice' | 'entryId'>): number | null {
  if (choice) return choice.requestedAtMs
  const acceptedAtMs = ENTRY_ID.exec(entryId)?.[1]
  return acceptedAtMs === undefined ? null : Number(acceptedAtMs)
}

/** Whether it may be booked with a time in the range. */
export function mayBeIn({ fromMs, toMs }: Range, choice: InFlight['choice']): boolean {
  return choice === undefined || isIn({ fromMs, toMs }, choice.requestedAtMs)
}

/**
 * What one payment in flight means for the comparison of a range.
 *
 * @param before the answers from before the processors gave their sums, @param after those from afterwards
 * @param isStillOnRecord whether its record was the same after all of that: only then must no other processor have it
 */
export function judge(
  { choice }: Pick<InFlight, 'choice'>,
  before: Answers,
  after: Answers,
  range: Range,
  isStillOnRecord: boolean
): Judgement {
  const states = PROCESSOR_NAMES.map(processor => ({ processor, ...stateOf(before[processor], after[processor]) }))
  const stored = states.filter(({ kind }) => kind === 'stored')
  const isOwn = (processor: ProcessorName) => choice === undefined || choice.processor === processor
  const elsewhere = stored.find(({ processor }) => !isOwn(processor))
  const isMoved = stored.length === 1 && elsewhere !== undefined && !isStillOnRecord
  return {
    booked: states.flatMap(({ processor, ...state }) =>
      state.kind === 'stored' && isOwn(processor) && isIn(range, state.requestedAtMs)
        ? [{ processor, cents: state.cents }]
        : []
    ),
    unclear: states
      .filter(({ kind, processor }) => kind === 'unclear' || (isMoved && processor === elsewhere.processor))
      .map(({ processor }) => processor),
    difference:
      stored.length === PROCESSOR_NAMES.length
        ? 'booked at both processors'
        : elsewhere !== undefined && choice !== undefined && isStillOnRecord
          ? `in flight at ${choice.processor}, booked at ${elsewhere.processor}`
          : undefined
  }
}

type State = { kind: 'stored'; cents: number; requestedAtMs: number } | { kind: 'absent' | 'unclear' }

function stateOf(before: LookupOutcome, after: LookupOutcome): State {
  if (before.kind === 'absent' && after.kind === 'absent') return { kind: 'absent' }
  if (before.kind !== 'stored' || after.kind !== 'stored') return { kind: 'unclear' }
  const cents = centsFromDecimal(before.amount)
  const isSame = before.requestedAtMs === after.requestedAtMs && before.amount === after.amount
  return cents !== undefined && isSame
    ? { kind: 'stored', cents, requestedAtMs: after.requestedAtMs }
    : { kind: 'unclear' }
}

function isIn({ fromMs, toMs }: Range, timeMs: number): boolean {
  return timeMs >= fromMs && timeMs <= toMs
}

/**
 * Whether a processor may have just so much more than we, if it has some of these payments, of which nobody can tell.
 */
export function mayBeSomeOf(cents: readonly number[], more: { requests: bigint; cents: bigint }): boolean {
  if (more.requests < 0n || more.requests > BigInt(cents.length)) return false
  const rising = [...cents].sort((a, b) => a - b)
  const sumOf = (some: readonly number[]) => some.reduce((sum, each) => sum + BigInt(each), 0n)
  const count = Number(more.requests)
  return more.cents >= sumOf(rising.slice(0, count)) && more.cents <= sumOf(rising.slice(rising.length - count))
}
