import { PROCESSOR_NAMES, type ProcessorName } from '../../shared/payment.ts'
import { type Behaviour, type Schedule } from '../support/contest/schedule.ts'
import { endMsOf } from './arrivals.ts'

/** What a processor leaves of a payment's amount. */
export const SHARE_LEFT: Record<ProcessorName, number> = { default: 0.95, fallback: 0.85 }

const PLACES = 800

/**
 * The best profit that anybody could make who knows the schedule, in whole amounts; never less than what is possible.
 *
 * Let D be the most payments that default alone could settle, T the most that both could. A payment at fallback earns
 * 0.85, one at default 0.1 more, so nobody earns more than 0.85 T + 0.1 D. D and T follow from this: whoever has
 * settled a payment has started it before some moment, and then it had arrived by then, or after it, and then it took
 * one of the places that processors have from there to the end. So for every moment, D ≤ arrived before it + what
 * default can take from it on, and the smallest of these sums is the bound; likewise T with what both can take.
 */
export function idealOf(
  schedule: Schedule,
  arrivals: Float64Array,
  places = PLACES
): { profit: number; byDefault: number; byBoth: number } {
  const endMs = endMsOf(schedule)
  const [toDefault, toFallback] = PROCESSOR_NAMES.map(name => settledByOnePlace(schedule, name, endMs)) as [
    Float64Array,
    Float64Array
  ]
  let [byDefault, byBoth, arrivedCount] = [arrivals.length, arrivals.length, 0]
  for (let ms = 0; ms <= endMs; ms++) {
    while ((arrivals[arrivedCount] ?? Infinity) < ms) arrivedCount += 1
    byDefault = Math.min(byDefault, arrivedCount + places * (toDefault[ms] ?? 0))
    byBoth = Math.min(byBoth, arrivedCount + places * ((toDefault[ms] ?? 0) + (toFallback[ms] ?? 0)))
  }
  const profit = SHARE_LEFT.fallback * byBoth + (SHARE_LEFT.default - SHARE_LEFT.fallback) * byDefault
  return { profit, byDefault, byBoth }
}

/** For each ms, the most payments that one place can settle from then to the end, if payments never run out. */
function settledByOnePlace({ stages }: Schedule, name: ProcessorName, endMs: number): Float64Array {
  const counts = new Float64Array(endMs + 1)
  const isFailing = new Uint8Array(endMs + 1)
  let untilMs = endMs + 1
  const fill = (atMs: number, { delayMs, failing }: Behaviour) => {
    if (failing) isFailing.fill(1, atMs, untilMs)
    for (let ms = untilMs - 1; ms >= atMs; ms--) {
      const doneMs = ms + delayMs
      const earned =
        doneMs <= endMs && isFailing[doneMs] === 0 ? (delayMs === 0 ? Infinity : 1 + (counts[doneMs] ?? 0)) : 0
      counts[ms] = Math.max(earned, counts[ms + 1] ?? 0)
    }
    untilMs = Math.min(untilMs, atMs)
  }
  for (const stage of stages.toReversed()) fill(stage.atMs, stage[name])
  fill(0, { delayMs: 0, failing: false })
  return counts
}
