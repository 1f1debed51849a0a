import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Keys } from '../../shared/keys.ts'
import { PROCESSOR_NAMES, type Payment, type ProcessorName } from '../../shared/payment.ts'
import { parseAttempt } from '../../shared/redis/attempt-record.ts'
import { readBooks, type Books } from '../../shared/redis/books.ts'
import type { Totals } from '../../shared/redis/totals.ts'
import {
  isEntryId,
  judge,
  mayBeIn,
  mayBeSomeOf,
  paymentOfEntry,
  type Answers,
  type InFlight,
  type Judgement,
  type Range
} from './audit-in-flight.ts'
import type { AuditedProcessors } from './audited-processor.ts'

export type Comparison = {
  ours: Totals
  /** Without what it has of the payments in flight. */
  theirs: Totals
  takenOff: Totals
}

/** A payment in flight, which our books lack, and what was found of it. */
export type Judged = InFlight & Judgement

export type TotalsCompared = { processors: Record<ProcessorName, Comparison>; inFlight: Judged[] }

/** Payments that are on their way are booked within these pauses, so that those with an open outcome are left. */
const PAUSES_MS = [250, 500, 1_000, 2_000]
const NOT_SENT: Judgement = { booked: [], unclear: [], difference: undefined }

export type TotalsOptions = {
  redis: Redis
  keys: Keys
  processors: AuditedProcessors
  range: Range
  /** Nothing is sent with a time in the range any more: then our books grow by nothing but what is in flight. */
  isOver: boolean
}

/**
 * Compares our totals with those of both processors. Our books lack what is in flight, so that is taken off theirs as
 * far as they have it; while that changes under our eyes, all is compared again.
 *
 * @throws what Redis or a processor's summary fails with, and where our books lose payments meanwhile, or keep growing
 */
export async function compareTotals(options: TotalsOptions): Promise<TotalsCompared> {
  for (let round = 0; ; round++) {
    const { compared, isSettled, isSteady } = await compareOnce(options)
    if (isSettled && isSteady) return compared
    const pauseMs = PAUSES_MS[round]
    if (pauseMs !== undefined) await sleep(pauseMs)
    else if (isSteady) return compared
    else throw booksChanged()
  }
}

/** Whether our books lost payments between two readings. */
export function haveShrunk(before: Books['totals'], after: Books['totals']): boolean {
  return PROCESSOR_NAMES.some(
    name => after[name].requests < before[name].requests || after[name].cents < before[name].cents
  )
}

export function booksChanged(): Error {
  return new Error('our books changed while they were compared, as a purge does it: run it again')
}

async function compareOnce({ redis, keys, processors, range, isOver }: TotalsOptions) {
  // Their entries first: what is on record before and after that was in the queue in between.
  const entries = await entriesOf(redis, keys, inFlightOf(range, await redis.hgetall(keys.inFlight)))
  const ours = await readBooks(redis, keys, range)
  const inFlight = inFlightOf(range, ours.records).map(each => ({ ...each, payment: entries.get(each.entryId) }))

  const ask = () =>
    Promise.all(inFlight.map(async ({ payment }) => payment && (await answersOf(processors, payment.correlationId))))
  const before = await ask()
  const [byDefault, byFallback] = await Promise.all([
    processors.default.summary(range),
    processors.fallback.summary(range)
  ])
  const after = await ask()
  const later = await readBooks(redis, keys, range)
  if (isOver && haveShrunk(ours.totals, later.totals)) throw booksChanged()

  const judged = inFlight.map((each, index): Judged => {
    const [first, second] = [before[index], after[index]]
    const isStillOnRecord = isSameChoice(each.choice, parseAttempt(later.records[each.entryId] ?? ''))
    return { ...each, ...(first && second ? judge(each, first, second, range, isStillOnRecord) : NOT_SENT) }
  })
  const { totals } = ours
  return {
    compared: {
      processors: {
        default: comparisonOf('default', totals.default, byDefault, judged),
        fallback: comparisonOf('fallback', totals.fallback, byFallback, judged)
      },
      inFlight: judged
    },
    isSettled:
      inFlight.every(({ entryId }) => entries.has(entryId)) && judged.every(({ unclear }) => unclear.length === 0),
    isSteady: !isOver || growsByInFlight(ours, later, range)
  }
}

function comparisonOf(
  processor: ProcessorName,
  ours: Totals,
  reported: Totals,
  inFlight: readonly Judged[]
): Comparison {
  const booked = inFlight.flatMap(each => each.booked.filter(booking => booking.processor === processor))
  const takenOff = {
    requests: BigInt(booked.length),
    cents: booked.reduce((sum, { cents }) => sum + BigInt(cents), 0n)
  }
  const theirs = minus(reported, takenOff)
  const unclear = inFlight.flatMap(each =>
    each.unclear.includes(processor) && each.payment ? [each.payment.cents] : []
  )
  // Nobody can tell which of these it has. Where they explain what it has more, they do.
  const more = minus(theirs, ours)
  if (!mayBeSomeOf(unclear, more)) return { ours, theirs, takenOff }
  return {
    ours,
    theirs: ours,
    takenOff: { requests: takenOff.requests + more.requests, cents: takenOff.cents + more.cents }
  }
}

/**
 * What was taken for the range in the meantime was stamped long before: a worker that was frozen does that. Its payment
 * may be in their sums.
 */
function growsByInFlight(before: Books, after: Books, range: Range): boolean {
  const isNew = inFlightOf(range, after.records).some(({ entryId }) => !Object.hasOwn(before.records, entryId))
  const goneCount = inFlightOf(range, before.records).filter(
    ({ entryId }) => !Object.hasOwn(after.records, entryId)
  ).length
  const grown = PROCESSOR_NAMES.reduce(
    (sum, name) => sum + after.totals[name].requests - before.totals[name].requests,
    0n
  )
  return !isNew && grown <= BigInt(goneCount)
}

function inFlightOf(range: Range, records: Record<string, string>): Omit<InFlight, 'payment'>[] {
  return Object.entries(records)
    .map(([entryId, record]) => ({ entryId, choice: parseAttempt(record) }))
    .filter(({ choice }) => mayBeIn(range, choice))
}

/** Entry id → its payment, undefined for what has no entry of a payment. */
async function entriesOf(
  redis: Redis,
  keys: Keys,
  inFlight: readonly Omit<InFlight, 'payment'>[]
): Promise<Map<string, Payment | undefined>> {
  const pairs = await Promise.all(
    inFlight.map(async ({ entryId }) => {
      const [entry] = isEntryId(entryId) ? await redis.xrange(keys.queue, entryId, entryId) : []
      return [entryId, entry && paymentOfEntry(entry[1])] as const
    })
  )
  return new Map(pairs)
}

async function answersOf(processors: AuditedProcessors, correlationId: string): Promise<Answers> {
  const [byDefault, byFallback] = await Promise.all([
    processors.default.lookup(correlationId),
    processors.fallback.lookup(correlationId)
  ])
  return { default: byDefault, fallback: byFallback }
}

function isSameChoice(one: InFlight['choice'], other: InFlight['choice']): boolean {
  return one?.processor === other?.processor && one?.requestedAtMs === other?.requestedAtMs
}

function minus(one: Totals, other: Totals): Totals {
  return { requests: one.requests - other.requests, cents: one.cents - other.cents }
}
