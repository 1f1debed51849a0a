import assert from 'node:assert/strict'
import type { Redis } from 'ioredis'
import { digitsOf, parseIdRecord, periodFrom, settledIdRecord, type IdPeriod } from '../id-memory.ts'
import { MEASURES, WORKER_GROUP, type Keys } from '../keys.ts'
import { centsFromDigits, type Cents } from '../money.ts'
import { isProcessorName, PROCESSOR_NAMES, type Payment, type ProcessorName } from '../payment.ts'
import { cellsCovering, cellsOf, isFine, TIME_MAX_MS, TIME_MIN_MS } from '../totals.ts'
import { callFunction } from './library.ts'

/** A payment with its place in the queue. */
export type QueuedPayment = Payment & { entryId: string }

/** Where a payment may be sent, as it stands in Redis while the payment is in flight. */
export type Choice = { processor: ProcessorName; requestedAtMs: number }

/** A payment that a worker holds, and the exact record it holds it under. */
export type TakenPayment = QueuedPayment & Choice & { record: string }

/** A payment that its processor has booked, with the amount and time that are stored there. */
export type BookedPayment = QueuedPayment & { requestedAtMs: number }

/** An entry of the queue that is no payment, and why. */
export type MalformedEntry = { entryId: string; reason: string }

export type DeadLetter =
  /** A payment that both processors refused for good; `entryId` is the one it was accepted under. */
  | (QueuedPayment & { kind: 'payment'; letterId: string; attempt: string; reason: string })
  /** What stood in the queue, or among the dead letters, and is no payment: its fields as text. */
  | { kind: 'malformed'; letterId: string; fields: string; reason: string }

/** What became of a dead letter; `known`: its id was forgotten, accepted again, and would be paid twice. */
export const REDRIVEN = ['redriven', 'gone', 'malformed', 'known'] as const
export type Redriven = (typeof REDRIVEN)[number]

export const DISCARDED = ['discarded', 'gone', 'payment'] as const
export type Discarded = (typeof DISCARDED)[number]

/** What became of a payment that a client asked to accept; only `accepted` changed anything. */
export type Acceptance = 'accepted' | 'duplicate' | 'conflict' | 'full'
const ACCEPTANCES: Record<string, Acceptance> = { A: 'accepted', D: 'duplicate', C: 'conflict', F: 'full' }

/** Where a payment is. */
export type Whereabouts =
  | { status: 'queued' | 'dead-letter'; cents: Cents }
  | ({ status: 'in-flight' | 'settled'; cents: Cents } & Choice)
  /** Settled, but the record of where is gone. */
  | { status: 'settled'; cents: Cents }

/** Exact however large: cents as bigint. */
export type Totals = { requests: bigint; cents: bigint }

/** An inclusive range; a missing bound is open. */
export type TimeRange = { fromMs?: number; toMs?: number }

/** The totals, or since when they are exact to the millisecond, if the range asks for more than is kept. */
export type Sums = { kind: 'sums'; totals: Record<ProcessorName, Totals> } | { kind: 'forgotten'; exactSince: string }

/** More than there are periods to begin when services of several retentions start at a time. */
const PERIODS_BEGUN_MAX = 10

/**
 * The pipeline's functions in Redis, typed, their replies checked. Each is one atomic call; what each
 * guarantees stands with its code in library.lua. All throw what `callFunction` throws.
 *
 * @param idRetentionHours how long what is accepted or redriven here is remembered at least; who does neither may leave
 *   it out
 */
export function createFunctions(redis: Redis, keys: Keys, idRetentionHours = 1) {
  const call = (name: string, callKeys: readonly string[], args: readonly (string | number)[]) =>
    callFunction(redis, name, callKeys, args)
  const hasGroup = async () => {
    const groups = (await redis.xinfo('GROUPS', keys.queue)) as unknown[][]
    return groups.some(group => group.includes(WORKER_GROUP))
  }

  const idKeys = [keys.idPeriods, keys.idNodes]
  const retentionMs = idRetentionHours * 3_600_000
  /** As ISO time; '' while nothing was forgotten. What settling was told last: it changes once a minute. */
  let exactSince = ''
  let attemptCount = 0
  /**
   * No two records of a worker are alike, whatever its clock does: a late refusal frees the attempt that it answers,
   * and no other.
   */
  const newRecord = (worker: string, choice: Choice) => recordOf(worker, choice, ++attemptCount)

  /** Tries again for as long as the attempt finds no period that it can do with, each time after `begin`. */
  const untilPeriodFits = async <T>(
    attempt: () => Promise<T>,
    begin: (nowMs: number, newestStartMs: number) => unknown
  ): Promise<T> => {
    for (let begunCount = 0; ; begunCount++) {
      try {
        return await attempt()
      } catch (error) {
        if (replyErrorCode(error) !== 'PERIOD' || begunCount === PERIODS_BEGUN_MAX) throw error
        const [nowMs, newestStartMs] = (error as Error).message.split(' ').slice(1).map(Number) as [number, number]
        await begin(nowMs, newestStartMs)
      }
    }
  }

  /** Begins periods until there is one that remembers for long enough. */
  const inPeriod = (attempt: () => Promise<unknown>) =>
    untilPeriodFits(attempt, (nowMs, newestStartMs) => {
      const { name, startMs, endMs, forgottenMs } = periodFrom(nowMs, newestStartMs, idRetentionHours)
      return call('begin_period', [keys.idPeriods], [name, startMs, endMs, forgottenMs, nowMs])
    })

  return {
    /** Appends new payments in order, as long as there is room for `queuedMax`; tells of each what became of it. */
    async accept(payments: readonly Payment[], queuedMax: number): Promise<Acceptance[]> {
      const callKeys = [keys.queue, keys.clock, ...idKeys]
      const args: (string | number)[] = [queuedMax, retentionMs]
      for (const { correlationId, cents } of payments) args.push(digitsOf(correlationId), correlationId, cents)
      const reply = await inPeriod(() => call('accept', callKeys, args))
      assert(typeof reply === 'string' && reply.length === payments.length, 'expected a letter for each payment')
      return Array.from(reply, letter => {
        const acceptance = ACCEPTANCES[letter]
        assert(acceptance !== undefined, `not an acceptance: ${letter}`)
        return acceptance
      })
    },

    /** Where a payment is; undefined if its id is not known, or not any more. */
    async find(correlationId: string): Promise<Whereabouts | undefined> {
      const reply = await call('find', [keys.queue, keys.inFlight, ...idKeys], [digitsOf(correlationId)])
      const [known, record, isQueued] = textList(reply) as [string?, string?, number?]
      return known === undefined ? undefined : whereaboutsOf(known, record ?? '', isQueued === 1)
    },

    /**
     * Takes up to `countMax` payments for one processor and records that choice.
     *
     * @param only.acceptedAgoMs only payments accepted at least so long ago; undefined for any
     * @param only.leaveCount only as long as more than so many wait
     * @returns whether there may be more to take: if not, whatever comes after `newestEntryId` is new; how many payments
     * wait afterwards, free for either processor; and which entries were no payments, and are dead letters now
     */
    async take(
      worker: string,
      choice: Choice,
      countMax: number,
      only: { acceptedAgoMs?: number; leaveCount?: number } = {}
    ): Promise<{
      payments: TakenPayment[]
      more: { kind: 'maybe' } | { kind: 'none'; newestEntryId: string }
      waitingCount: number
      malformed: MalformedEntry[]
    }> {
      const record = newRecord(worker, choice)
      const args = [WORKER_GROUP, worker, record, countMax, only.acceptedAgoMs ?? '', only.leaveCount ?? 0]
      const reply = await call('take', [keys.queue, keys.inFlight, keys.deadLetters, keys.clock], args)
      const [newest, waiting, malformed, ...flat] = textList(reply) as [string, unknown, unknown, ...string[]]
      const payments: TakenPayment[] = []
      for (let at = 0; at < flat.length; at += 3) {
        payments.push({ ...queuedPayment(flat, at), ...choice, record })
      }
      return {
        payments,
        more: newest === '' ? { kind: 'maybe' } : { kind: 'none', newestEntryId: newest },
        waitingCount: wholeNumber(waiting),
        malformed: malformedEntries(malformed)
      }
    },

    /** Counts payments that `processor` has booked. Returns how many of them were counted by this call. */
    async settle(processor: ProcessorName, booked: readonly BookedPayment[]): Promise<number> {
      let open = booked
      while (open.length > 0) {
        const callKeys = [keys.queue, keys.inFlight, ...idKeys, keys.totalsExactSince]
        const args: (string | number)[] = [WORKER_GROUP, processor, exactSince, open.length]
        for (const { entryId, correlationId, cents, requestedAtMs } of open) {
          args.push(entryId, digitsOf(correlationId), settledIdRecord(cents, processor, requestedAtMs))
        }
        addIncrements(keys, processor, open, exactSince, callKeys, args)
        try {
          const settledBefore = new Set(textList(await call('settle', callKeys, args)))
          if (settledBefore.size === 0) break
          // All or none: the others are counted by the next round.
          open = open.filter(payment => !settledBefore.has(payment.entryId))
        } catch (error) {
          const told = exactSinceOf(error)
          if (told === undefined) throw error
          exactSince = told
        }
      }
      return open.length
    },

    /** Frees payments whose processor refused them; returns how many were still this worker's to free. */
    async release(refused: readonly TakenPayment[]): Promise<number> {
      const args = [WORKER_GROUP, ...refused.flatMap(payment => [payment.entryId, payment.record])]
      return wholeNumber(await call('release', [keys.queue, keys.inFlight], args))
    },

    /**
     * Takes over what is pending for whoever had it. Each payment that may have been sent stays at its processor until
     * it is settled; what nobody can have sent becomes free.
     */
    async reclaim(
      worker: string,
      entryIds: readonly string[]
    ): Promise<{ payments: TakenPayment[]; freedCount: number; malformed: MalformedEntry[] }> {
      const reply = await call(
        'reclaim',
        [keys.queue, keys.inFlight, keys.deadLetters],
        [WORKER_GROUP, worker, ...entryIds]
      )
      const [freedCount, malformed, ...flat] = textList(reply) as [unknown, unknown, ...string[]]
      const payments: TakenPayment[] = []
      for (let at = 0; at < flat.length; at += 4) {
        const record = flat[at + 3] ?? ''
        payments.push({ ...queuedPayment(flat, at), ...choiceOf(record), record })
      }
      return { payments, freedCount: wholeNumber(freedCount), malformed: malformedEntries(malformed) }
    },

    /**
     * Shows that `worker` lives; returns the time that decides, how many payments are pending for it, how many workers
     * live, and the names of the dead.
     */
    async beat(
      worker: string,
      deadAfterMs: number
    ): Promise<{ nowMs: number; pendingCount: number; workerCount: number; deadWorkers: string[] }> {
      const reply = await call('beat', [keys.queue, keys.workers, keys.clock], [WORKER_GROUP, worker, deadAfterMs])
      const [nowMs, pendingCount, workerCount, ...deadWorkers] = textList(reply) as [
        unknown,
        unknown,
        unknown,
        ...string[]
      ]
      return {
        nowMs: Number(nowMs),
        pendingCount: wholeNumber(pendingCount),
        workerCount: wholeNumber(workerCount),
        deadWorkers
      }
    },

    /** Up to `countMax` entry ids that are pending for a worker, oldest first, after this one. */
    async pending(worker: string, countMax: number, after?: string): Promise<string[]> {
      const reply = await redis.xpending(
        keys.queue,
        WORKER_GROUP,
        after === undefined ? '-' : `(${after}`,
        '+',
        countMax,
        worker
      )
      return (reply as [string, ...unknown[]][]).map(([entryId]) => entryId)
    },

    /** Forgets a dead worker; false while it has payments pending. */
    async retire(worker: string): Promise<boolean> {
      return wholeNumber(await call('retire', [keys.queue, keys.workers], [WORKER_GROUP, worker])) === 1
    },

    /**
     * Sends a payment that its processor refused for good to the other one, the last that may book it.
     * Undefined if it is not ours any more.
     */
    async passOn(refused: TakenPayment, worker: string, choice: Choice): Promise<TakenPayment | undefined> {
      const record = `${newRecord(worker, choice)} ${LAST}`
      const isOurs =
        wholeNumber(await call('pass_on', [keys.inFlight], [refused.entryId, refused.record, record])) === 1
      return isOurs ? { ...refused, ...choice, record } : undefined
    },

    /** Moves a payment that both processors refused for good to the dead letters. False if it is not ours any more. */
    async bury(refused: TakenPayment, reason: string): Promise<boolean> {
      const args = [WORKER_GROUP, refused.entryId, refused.record, reason, digitsOf(refused.correlationId)]
      return wholeNumber(await call('bury', [keys.queue, keys.inFlight, keys.deadLetters, ...idKeys], args)) === 1
    },

    /** Up to `countMax` dead letters, the oldest first, after the one with this id. */
    async deadLetters(countMax: number, after?: string): Promise<DeadLetter[]> {
      const letters = await redis.xrange(
        keys.deadLetters,
        after === undefined ? '-' : `(${after}`,
        '+',
        'COUNT',
        countMax
      )
      return letters.map(([letterId, fields]) => deadLetterOf(letterId, fields))
    },

    /** Id of the newest dead letter; undefined if there is none. */
    async newestDeadLetter(): Promise<string | undefined> {
      return (await redis.xrevrange(keys.deadLetters, '+', '-', 'COUNT', 1))[0]?.[0]
    },

    /** Puts a dead letter back into the queue. */
    async redrive({ letterId, correlationId }: { letterId: string; correlationId: string }): Promise<Redriven> {
      const callKeys = [keys.queue, keys.deadLetters, keys.clock, ...idKeys]
      return oneOf(
        REDRIVEN,
        await inPeriod(() => call('redrive', callKeys, [letterId, retentionMs, digitsOf(correlationId)]))
      )
    },

    /** Forgets a dead letter that is no payment. */
    async discard(letterId: string): Promise<Discarded> {
      return oneOf(DISCARDED, await call('discard', [keys.deadLetters], [letterId]))
    },

    /** Lets the finer levels of the totals forget what was before a whole minute, in these nodes. */
    async forgetTotals(exactSinceMs: number, nodes: readonly string[]): Promise<void> {
      await call('forget_totals', [keys.totalsExactSince, ...nodes], [new Date(exactSinceMs).toISOString()])
    },

    /** Empties queue, in-flight records, dead letters, books, the last audit and the memory of ids, in one step. */
    async purge(): Promise<void> {
      const roots = PROCESSOR_NAMES.flatMap(processor => MEASURES.map(measure => keys.totals(processor, measure, '')))
      const callKeys = [
        keys.queue,
        keys.inFlight,
        keys.deadLetters,
        keys.audit,
        keys.idPeriods,
        keys.totalsExactSince,
        keys.clock,
        ...roots
      ]
      // None: the first attempt tells the time.
      let period: IdPeriod = { name: '', startMs: 0, endMs: 0, forgottenMs: 0 }
      await untilPeriodFits(
        () => call('purge', callKeys, [WORKER_GROUP, period.name, period.startMs, period.endMs, period.forgottenMs]),
        // One that never was before, so that none of its nodes is.
        (nowMs, newestStartMs) => {
          period = periodFrom(nowMs, Math.max(newestStartMs, nowMs - 1), idRetentionHours)
        }
      )
    },

    /** Totals of both processors over the payments whose requestedAt lies in the range, in one atomic read. */
    async sum(range: TimeRange): Promise<Sums> {
      const { callKeys, args } = sumCall(keys, range)
      try {
        return { kind: 'sums', totals: totalsOfSum(await call('sum', callKeys, args)) }
      } catch (error) {
        const exactSince = exactSinceOf(error)
        if (exactSince === undefined) throw error
        return { kind: 'forgotten', exactSince }
      }
    },

    /** Totals of all time, which are always exact. */
    async sumOfAll(): Promise<Record<ProcessorName, Totals>> {
      const sums = await this.sum({})
      assert(sums.kind === 'sums')
      return sums.totals
    },

    /** Creates queue and worker group where they are missing, before the first payment or after a purge. */
    async createGroup(): Promise<void> {
      try {
        await redis.xgroup('CREATE', keys.queue, WORKER_GROUP, '0', 'MKSTREAM')
      } catch (error) {
        // A Redis that is full says OOM before it looks; see loadLibrary.
        const isThere = replyErrorCode(error) === 'BUSYGROUP' || (replyErrorCode(error) === 'OOM' && (await hasGroup()))
        if (!isThere) throw error
      }
    }
  }
}

export type Functions = ReturnType<typeof createFunctions>

const SUMS = PROCESSOR_NAMES.flatMap(processor => MEASURES.map(measure => ({ processor, measure })))

/** What `sum` is called with for a range. */
export function sumCall(keys: Keys, { fromMs, toMs }: TimeRange): { callKeys: string[]; args: (string | number)[] } {
  const ranges = cellsCovering(Math.max(fromMs ?? TIME_MIN_MS, TIME_MIN_MS), Math.min(toMs ?? TIME_MAX_MS, TIME_MAX_MS))
  const sumKeys = SUMS.flatMap(({ processor, measure }) =>
    ranges.map(({ window }) => keys.totals(processor, measure, window))
  )
  // The beginning of the earliest minute of which more than the whole is asked.
  const fineSince = ranges
    .filter(({ window }) => isFine(window))
    .map(({ window }) => window.slice(0, MINUTE_LENGTH))
    .sort()[0]
  const args = [
    SUMS.length,
    fineSince === undefined ? '' : `${fineSince}:00.000Z`,
    ...ranges.flatMap(({ first, last, sign }) => [first, last, sign])
  ]
  return { callKeys: [keys.totalsExactSince, ...sumKeys], args }
}

/** What `sum` has answered to such a call. */
export function totalsOfSum(reply: unknown): Record<ProcessorName, Totals> {
  const words = textList(reply)
  assert.equal(words.length, SUMS.length * 2)
  const exact = (index: number) => {
    const total = BigInt(words[index * 2] ?? '') * 1_000_000_000n + BigInt(words[index * 2 + 1] ?? '')
    // Where somebody has deleted a node by hand, what is to be taken off may still be there and the whole gone.
    return total > 0n ? total : 0n
  }
  return { default: { requests: exact(0), cents: exact(1) }, fallback: { requests: exact(2), cents: exact(3) } }
}

/** Redis's own word for what went wrong: OOM, NOGROUP, LOADING, ...; undefined for a connection's error. */
export function replyErrorCode(error: unknown): string | undefined {
  return error instanceof Error && error.name === 'ReplyError' ? /^[A-Z]+/.exec(error.message)?.[0] : undefined
}

/** The word in a record that says that the other processor refused the payment for good. */
const LAST = 'last'

function recordOf(worker: string, { processor, requestedAtMs }: Choice, attempt: number): string {
  return `${processor} ${new Date(requestedAtMs).toISOString()} ${worker} #${attempt}`
}

/** Whether the other processor has refused this payment for good. */
export function isLast({ record }: Pick<TakenPayment, 'record'>): boolean {
  return record.split(' ').includes(LAST)
}

function choiceOf(record: string): Choice {
  const [processor, requestedAt] = record.split(' ')
  const requestedAtMs = Date.parse(requestedAt ?? '')
  assert(isProcessorName(processor) && Number.isSafeInteger(requestedAtMs), `not a record: ${record}`)
  return { processor, requestedAtMs }
}

function queuedPayment(flat: readonly string[], at: number): QueuedPayment {
  const [entryId, correlationId, digits] = [flat[at], flat[at + 1], flat[at + 2]]
  const cents = centsFromDigits(digits ?? '')
  assert(entryId && correlationId && cents !== undefined, `not a payment: entry ${String(entryId)}`)
  return { entryId, correlationId, cents }
}

/** Letters are written by `bury` and `take`; whatever else stands there, somebody else put it there. */
function deadLetterOf(letterId: string, fields: readonly string[]): DeadLetter {
  const value = (name: string) => {
    const at = fields.indexOf(name)
    return at < 0 || at % 2 === 1 ? undefined : fields[at + 1]
  }
  const [correlationId, cents] = [value('correlationId'), centsFromDigits(value('cents') ?? '')]
  const reason = value('reason') ?? 'it is no dead letter of the pipeline'
  if (
    correlationId === undefined ||
    !UUID.test(correlationId) ||
    cents === undefined ||
    fields[0] !== 'correlationId' ||
    fields[2] !== 'cents'
  ) {
    return { kind: 'malformed', letterId, fields: value('fields') ?? JSON.stringify(fields), reason }
  }
  return {
    kind: 'payment',
    letterId,
    entryId: value('accepted') ?? '',
    correlationId,
    cents,
    attempt: value('attempt') ?? '',
    reason
  }
}

/** As library.lua has it. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** So much of an ISO time names a minute. */
const MINUTE_LENGTH = '2026-11-21T07:48'.length

/** Since when the totals are exact, if that is what an error of `sum` or `settle` tells; '' for ever. */
export function exactSinceOf(error: unknown): string | undefined {
  return replyErrorCode(error) === 'EXACTSINCE'
    ? (error as Error).message.split(' ')[1]?.replace('ever', '')
    : undefined
}

function malformedEntries(reply: unknown): MalformedEntry[] {
  const flat = textList(reply)
  return Array.from({ length: flat.length / 2 }, (_, index) => ({
    entryId: flat[index * 2] ?? '',
    reason: flat[index * 2 + 1] ?? ''
  }))
}

function oneOf<const T extends string>(choices: readonly T[], reply: unknown): T {
  const choice = choices.find(each => each === reply)
  assert(choice !== undefined, `expected one of ${choices.join(', ')} from Redis`)
  return choice
}

function whereaboutsOf(idRecord: string, attemptRecord: string, isQueued: boolean): Whereabouts {
  const parsed = parseIdRecord(idRecord)
  const { cents } = parsed
  if (parsed.state === 'settled')
    return { status: 'settled', cents, processor: parsed.processor, requestedAtMs: parsed.requestedAtMs }
  if (parsed.state === 'dead-letter') return { status: 'dead-letter', cents }
  if (!isQueued) return { status: 'settled', cents }
  return attemptRecord === '' ? { status: 'queued', cents } : { status: 'in-flight', cents, ...choiceOf(attemptRecord) }
}

/**
 * Adds what a batch adds to the totals, summed per field first, so that Redis does it once a field and not once a
 * payment. The finer levels leave out what is older than they remember.
 */
function addIncrements(
  keys: Keys,
  processor: ProcessorName,
  booked: readonly BookedPayment[],
  exactSince: string,
  callKeys: string[],
  args: (string | number)[]
): void {
  type Sum = { requests: number; cents: number }
  const byTime = new Map<number, Sum>()
  for (const { requestedAtMs, cents } of booked) {
    const sum = byTime.get(requestedAtMs)
    if (sum) {
      sum.requests += 1
      sum.cents += cents
    } else byTime.set(requestedAtMs, { requests: 1, cents })
  }

  const byWindow = new Map<string, Map<number, Sum>>()
  for (const [timeMs, { requests, cents }] of byTime) {
    for (const { window, field } of cellsOf(timeMs)) {
      if (isFine(window) && window < exactSince.slice(0, window.length)) continue
      const fields = byWindow.get(window) ?? new Map<number, Sum>()
      byWindow.set(window, fields)
      const sum = fields.get(field)
      if (sum) {
        sum.requests += requests
        sum.cents += cents
      } else fields.set(field, { requests, cents })
    }
  }

  for (const [window, fields] of byWindow) {
    for (const measure of MEASURES) {
      const keyIndex = callKeys.push(keys.totals(processor, measure, window))
      for (const [field, sum] of fields) args.push(keyIndex, field, sum[measure])
    }
  }
}

function wholeNumber(reply: unknown): number {
  assert(Number.isSafeInteger(reply), `expected a whole number from Redis, not ${typeof reply}`)
  return reply as number
}

function textList(reply: unknown): string[] {
  assert(Array.isArray(reply), `expected a list from Redis, not ${typeof reply}`)
  return reply as string[]
}
