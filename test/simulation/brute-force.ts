import { PROCESSOR_NAMES } from '../../shared/payment.ts'
import type { Behaviour, Schedule } from '../support/contest/schedule.ts'
import { endMsOf } from './arrivals.ts'
import { SHARE_LEFT } from './oracle.ts'

/**
 * The best profit with one place at each processor, in whole amounts, by trying every way: each millisecond each place
 * that is free begins a payment or doesn't. For a few payments and milliseconds only; the oracle is measured by it.
 */
export function bestProfit(schedule: Schedule, arrivals: Float64Array): number {
  const endMs = endMsOf(schedule)
  const at = (ms: number, name: 'default' | 'fallback'): Behaviour =>
    schedule.stages.findLast(({ atMs }) => atMs <= ms)?.[name] ?? { delayMs: 0, failing: false }
  const known = new Map<string, number>()

  const best = (ms: number, begunCount: number, freeFromMs: readonly [number, number]): number => {
    if (ms > endMs) return 0
    const state = `${ms} ${begunCount} ${freeFromMs.join(' ')}`
    const before = known.get(state)
    if (before !== undefined) return before
    let most = best(ms + 1, begunCount, freeFromMs)
    const arrivedCount = arrivals.filter(arrivalMs => arrivalMs < ms).length
    for (const [index, name] of PROCESSOR_NAMES.entries()) {
      const doneMs = ms + at(ms, name).delayMs
      if (begunCount === arrivedCount || (freeFromMs[index] ?? 0) > ms || doneMs > endMs || at(doneMs, name).failing)
        continue
      const then: [number, number] = index === 0 ? [doneMs, freeFromMs[1]] : [freeFromMs[0], doneMs]
      most = Math.max(most, SHARE_LEFT[name] + best(ms, begunCount + 1, then))
    }
    known.set(state, most)
    return most
  }
  return best(0, 0, [0, 0])
}
