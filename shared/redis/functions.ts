import assert from 'node:assert/strict'
import type { Redis } from 'ioredis'
import { fieldOf, nodeOf, parseIdRecord, settledIdRecord, shardOf, type IdPeriods } from '../id-memory.ts'
import { MEASURES, WORKER_GROUP, type Keys } from '../keys.ts'
import { centsFromDigits, type Cents } from '../money.ts'
import { isProcessorName, PROCESSOR_NAMES, type Payment, type ProcessorName } from '../payment.ts'
import { cellsCovering, cellsOf, TIME_MAX_MS, TIME_MIN_MS } from '../totals.ts'
import { callFunction } from './library.ts'

/** A payment with its place in the queue. */
export type QueuedPayment = Payment & { entryId: string }

/** Where a payment may be sent, as it stands in Redis while the payment is in flight. */
export type Choice = { processor: ProcessorName; requestedAtMs: number }

/** A payment that a worker holds, and the exact record it holds it under. */
export type TakenPayment = QueuedPayment & Choice & { record: string }

/** A payment that its processor has booked, with the amount and time that are stored there. */
export type BookedPayment = QueuedPayment & { requestedAtMs: number }

/** A payment that its processor refused for good; `entryId` is the one it was accepted under. */
export type DeadLetter = QueuedPayment & { letterId: string; attempt: string; reason: string }

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

/**
 * The pipeline's functions in Redis, typed, their replies checked. Each is one atomic call; what each
 * guarantees stands with its code in library.lua. All throw what `callFunction` throws.
 */
export function createFunctions(redis: Redis, keys: Keys, periods: IdPeriods) {
  const call = (name: string, callKeys: readonly string[], args: readonly (string | number)[]) =>
    callFunction(redis, name, callKeys, args)
  const hasGroup = async () => {
    const groups = await redis.xinfo('GROUPS', keys.queue) as unknown[][]
    return groups.some(group => group.includes(WORKER_GROUP))
  }

  /** Our clock may be in another period than Redis's, which is the one that counts. */
  const inCurrentPeriod = async (attempt: (period: number) => Promise<unknown>) => {
    try {
      return await attempt(periods.at(Date.now()))
    } catch (error) {
      if (replyErrorCode(error) !== 'PERIOD') throw error
      return await attempt(Number((error as Error).message.split(' ')[1]))
    }
  }

  return {
    /** Appends new payments in order, as long as there is room for `queuedMax`; tells of each what became of it. */
    async accept(payments: readonly Payment[], queuedMax: number): Promise<Acceptance[]> {
      const reply = await inCurrentPeriod(async period => {
        const callKeys = [keys.queue]
        const args: (string | number)[] = [queuedMax, period, periods.lengthMs]
        const [before, now] = [periods.start(period - 1), periods.start(period)]
        for (const { correlationId, cents } of payments) {
          const shard = shardOf(correlationId)
          callKeys.push(keys.ids(nodeOf(before, shard)), keys.ids(nodeOf(now, shard)))
          args.push(fieldOf(correlationId), correlationId, cents)
        }
        return await call('accept', callKeys, args)
      })
      assert(typeof reply === 'string' && reply.length === payments.length, 'expected a letter for each payment')
      return Array.from(reply, letter => {
        const acceptance = ACCEPTANCES[letter]
        assert(acceptance !== undefined, `not an acceptance: ${letter}`)
        return acceptance
      })
    },

    /** Where a payment is; undefined if its id is not known, or not any more. */
    async find(correlationId: string): Promise<Whereabouts | undefined> {
      const now = periods.at(Date.now())
      // One to either side of ours: the clocks need not agree to the millisecond.
      const places = [now + 1, now, now - 1].map(period => periods.place(correlationId, period))
      const callKeys = [keys.queue, keys.inFlight, ...places.map(({ node }) => keys.ids(node))]
      const [known, record, isQueued] = textList(await call('find', callKeys, [places[0]?.field ?? ''])) as [string?, string?, number?]
      return known === undefined ? undefined : whereaboutsOf(known, record ?? '', isQueued === 1)
    },

    /**
     * Takes up to `countMax` payments for one processor and records that choice.
     *
     * @param only.acceptedUntilMs only payments accepted by then; undefined for any
     * @param only.leaveCount only as long as more than so many wait
     * @returns `newestEntryId` unless there may be more to take: whatever comes after it is new; and how many payments
     * wait afterwards, free for either processor
     */
    async take(
      worker: string, choice: Choice, countMax: number, only: { acceptedUntilMs?: number; leaveCount?: number } = {}
    ): Promise<{ payments: TakenPayment[]; newestEntryId: string | undefined; waitingCount: number }> {
      const record = recordOf(worker, choice)
      const args = [WORKER_GROUP, worker, record, countMax, only.acceptedUntilMs ?? '', only.leaveCount ?? 0]
      const [newest, waiting, ...flat] = textList(await call('take', [keys.queue, keys.inFlight], args)) as [string, unknown, ...string[]]
      const payments: TakenPayment[] = []
      for (let at = 0; at < flat.length; at += 3) {
        payments.push({ ...queuedPayment(flat, at), ...choice, record })
      }
      return { payments, newestEntryId: newest === '' ? undefined : newest, waitingCount: wholeNumber(waiting) }
    },

    /** Counts payments that `processor` has booked. Returns how many of them were counted by this call. */
    async settle(processor: ProcessorName, booked: readonly BookedPayment[]): Promise<number> {
      let open = booked
      while (open.length > 0) {
        const callKeys = [keys.queue, keys.inFlight]
        const args: (string | number)[] = [WORKER_GROUP, processor, open.length]
        for (const { entryId, correlationId, cents, requestedAtMs } of open) {
          const { node, field } = placeOf(periods, entryId, correlationId)
          callKeys.push(keys.ids(node))
          args.push(entryId, field, settledIdRecord(cents, processor, requestedAtMs))
        }
        addIncrements(keys, processor, open, callKeys, args)
        const settledBefore = new Set(textList(await call('settle', callKeys, args)))
        if (settledBefore.size === 0) break
        // All or none: the others are counted by the next round.
        open = open.filter(payment => !settledBefore.has(payment.entryId))
      }
      return open.length
    },

    /** Frees payments whose processor refused them; returns how many were still this worker's to free. */
    async release(refused: readonly TakenPayment[]): Promise<number> {
      const args = [WORKER_GROUP, ...refused.flatMap(payment => [payment.entryId, payment.record])]
      return wholeNumber(await call('release', [keys.queue, keys.inFlight], args))
    },

    /** Takes over payments in flight from whoever had them; each stays at its processor until it is settled. */
    async reclaim(worker: string, entryIds: readonly string[]): Promise<TakenPayment[]> {
      const flat = textList(await call('reclaim', [keys.queue, keys.inFlight], [WORKER_GROUP, worker, ...entryIds]))
      const payments: TakenPayment[] = []
      for (let at = 0; at < flat.length; at += 4) {
        const record = flat[at + 3] ?? ''
        payments.push({ ...queuedPayment(flat, at), ...choiceOf(record), record })
      }
      return payments
    },

    /** Shows that `worker` lives; returns how many payments are pending for it, how many workers live, and the names of the dead. */
    async beat(worker: string, deadAfterMs: number): Promise<{ pendingCount: number; workerCount: number; deadWorkers: string[] }> {
      const reply = await call('beat', [keys.queue, keys.workers], [WORKER_GROUP, worker, deadAfterMs])
      const [pendingCount, workerCount, ...deadWorkers] = textList(reply) as [unknown, unknown, ...string[]]
      return { pendingCount: wholeNumber(pendingCount), workerCount: wholeNumber(workerCount), deadWorkers }
    },

    /** Up to `countMax` entry ids that are pending for a worker, oldest first. */
    async pending(worker: string, countMax: number): Promise<string[]> {
      const reply = await redis.xpending(keys.queue, WORKER_GROUP, '-', '+', countMax, worker)
      return (reply as [string, ...unknown[]][]).map(([entryId]) => entryId)
    },

    /** Forgets a dead worker; false while it has payments pending. */
    async retire(worker: string): Promise<boolean> {
      return wholeNumber(await call('retire', [keys.queue, keys.workers], [WORKER_GROUP, worker])) === 1
    },

    /** Moves a payment that its processor refused for good to the dead letters. False if it is not ours any more. */
    async bury(refused: TakenPayment, reason: string): Promise<boolean> {
      const { node, field } = placeOf(periods, refused.entryId, refused.correlationId)
      const args = [WORKER_GROUP, refused.entryId, refused.record, reason, field]
      return wholeNumber(await call('bury', [keys.queue, keys.inFlight, keys.deadLetters, keys.ids(node)], args)) === 1
    },

    /** The oldest `countMax` dead letters. */
    async deadLetters(countMax: number): Promise<DeadLetter[]> {
      const letters = await redis.xrange(keys.deadLetters, '-', '+', 'COUNT', countMax)
      return letters.map(([letterId, fields]) => {
        const value = (name: string) => fields[fields.indexOf(name) + 1] ?? ''
        return { ...queuedPayment([value('accepted'), value('correlationId'), value('cents')], 0), letterId, attempt: value('attempt'), reason: value('reason') }
      })
    },

    /** Puts a dead letter back into the queue; false if it is none any more. */
    async redrive({ letterId, entryId, correlationId }: DeadLetter): Promise<boolean> {
      const reply = await inCurrentPeriod(async period => {
        const now = periods.place(correlationId, period)
        const callKeys = [keys.queue, keys.deadLetters, keys.ids(placeOf(periods, entryId, correlationId).node), keys.ids(now.node)]
        return await call('redrive', callKeys, [letterId, period, periods.lengthMs, now.field])
      })
      return wholeNumber(reply) === 1
    },

    /** Totals of both processors over the payments whose requestedAt lies in the range, in one atomic read. */
    async sum(range: TimeRange): Promise<Record<ProcessorName, Totals>> {
      const { callKeys, args } = sumCall(keys, range)
      return totalsOfSum(await call('sum', callKeys, args))
    },

    /** Creates queue and worker group where they are missing, before the first payment or after a purge. */
    async createGroup(): Promise<void> {
      try {
        await redis.xgroup('CREATE', keys.queue, WORKER_GROUP, '0', 'MKSTREAM')
      } catch (error) {
        // A Redis that is full says OOM before it looks; see loadLibrary.
        const isThere = replyErrorCode(error) === 'BUSYGROUP' || (replyErrorCode(error) === 'OOM' && await hasGroup())
        if (!isThere) throw error
      }
    }
  }
}

export type Functions = ReturnType<typeof createFunctions>

const SUMS = PROCESSOR_NAMES.flatMap(processor => MEASURES.map(measure => ({ processor, measure })))

/** What `sum` is called with for a range. */
export function sumCall(keys: Keys, { fromMs, toMs }: TimeRange): { callKeys: string[]; args: number[] } {
  const ranges = cellsCovering(Math.max(fromMs ?? TIME_MIN_MS, TIME_MIN_MS), Math.min(toMs ?? TIME_MAX_MS, TIME_MAX_MS))
  const callKeys = SUMS.flatMap(({ processor, measure }) => ranges.map(({ window }) => keys.totals(processor, measure, window)))
  return { callKeys, args: [SUMS.length, ...ranges.flatMap(({ first, last, sign }) => [first, last, sign])] }
}

/** What `sum` has answered to such a call. */
export function totalsOfSum(reply: unknown): Record<ProcessorName, Totals> {
  const words = textList(reply)
  assert.equal(words.length, SUMS.length * 2)
  const exact = (index: number) => {
    const total = BigInt(words[index * 2] ?? '') * 1_000_000_000n + BigInt(words[index * 2 + 1] ?? '')
    // While the books are being purged, what is to be taken off may still be there and the whole gone.
    return total > 0n ? total : 0n
  }
  return { default: { requests: exact(0), cents: exact(1) }, fallback: { requests: exact(2), cents: exact(3) } }
}

/** Redis's own word for what went wrong: OOM, NOGROUP, LOADING, ...; undefined for a connection's error. */
export function replyErrorCode(error: unknown): string | undefined {
  return error instanceof Error && error.name === 'ReplyError' ? /^[A-Z]+/.exec(error.message)?.[0] : undefined
}

function recordOf(worker: string, { processor, requestedAtMs }: Choice): string {
  return `${processor} ${new Date(requestedAtMs).toISOString()} ${worker}`
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

/** Where the record of an accepted id lies: its period is that of its entry. */
function placeOf(periods: IdPeriods, entryId: string, correlationId: string) {
  return periods.place(correlationId, periods.at(Number(entryId.split('-')[0])))
}

function whereaboutsOf(idRecord: string, attemptRecord: string, isQueued: boolean): Whereabouts {
  const parsed = parseIdRecord(idRecord)
  const { cents } = parsed
  if (parsed.state === 'settled') return { status: 'settled', cents, processor: parsed.processor, requestedAtMs: parsed.requestedAtMs }
  if (parsed.state === 'dead-letter') return { status: 'dead-letter', cents }
  if (!isQueued) return { status: 'settled', cents }
  return attemptRecord === '' ? { status: 'queued', cents } : { status: 'in-flight', cents, ...choiceOf(attemptRecord) }
}

/** Adds what a batch adds to the totals, summed per field first, so that Redis does it once a field and not once a payment. */
function addIncrements(keys: Keys, processor: ProcessorName, booked: readonly BookedPayment[], callKeys: string[], args: (string | number)[]): void {
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
