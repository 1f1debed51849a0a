import assert from 'node:assert/strict'
import type { Redis } from 'ioredis'
import { MEASURES, type Keys } from '../keys.ts'
import { PROCESSOR_NAMES, type ProcessorName } from '../payment.ts'
import { cellsCovering, isFine, TIME_MAX_MS, TIME_MIN_MS } from '../totals.ts'
import { exactSinceOf } from './errors.ts'
import { callFunction } from './library.ts'
import { textList } from './replies.ts'

/** Exact however large: cents as bigint. */
export type Totals = { requests: bigint; cents: bigint }

/** An inclusive range; a missing bound is open. */
export type TimeRange = { fromMs?: number; toMs?: number }

/** The totals, or since when they are exact to the millisecond, if the range asks for more than is kept. */
export type Sums = { kind: 'sums'; totals: Record<ProcessorName, Totals> } | { kind: 'forgotten'; exactSince: string }

const SUMS = PROCESSOR_NAMES.flatMap(processor => MEASURES.map(measure => ({ processor, measure })))

/** So much of an ISO time names a minute. */
const MINUTE_LENGTH = '2026-11-21T07:48'.length

export function createTotals(redis: Redis, keys: Keys) {
  /** Totals of both processors over the payments whose requestedAt lies in the range, in one atomic read. */
  const sum = async (range: TimeRange): Promise<Sums> => {
    const { callKeys, args } = sumCall(keys, range)
    try {
      return { kind: 'sums', totals: totalsOfSum(await callFunction(redis, 'sum', callKeys, args)) }
    } catch (error) {
      const exactSince = exactSinceOf(error)
      if (exactSince === undefined) throw error
      return { kind: 'forgotten', exactSince }
    }
  }
  return {
    sum,

    /** Totals of all time, which are always exact. */
    async sumOfAll(): Promise<Record<ProcessorName, Totals>> {
      const sums = await sum({})
      assert(sums.kind === 'sums')
      return sums.totals
    },

    /** Lets the finer levels of the totals forget what was before a whole minute, in these nodes. */
    async forgetTotals(exactSinceMs: number, nodes: readonly string[]): Promise<void> {
      const callKeys = [keys.totalsExactSince, ...nodes]
      await callFunction(redis, 'forget_totals', callKeys, [new Date(exactSinceMs).toISOString()])
    }
  }
}

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
