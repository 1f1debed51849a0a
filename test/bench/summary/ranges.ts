// The ranges that are asked for. Pure.
import { DAYS, type Ledger } from './ledger.ts'

export const RANGES = ['all time', '30 days', '15 s', 'any'] as const
export type RangeName = (typeof RANGES)[number]

export type Range = { name: RangeName; fromMs: number; toMs: number }

/**
 * The ranges by turns: everything; 30 days that begin and end at an odd millisecond; 15 s that do; any two times. All
 * but the first lie before what arrives while they are asked.
 * @param random from 0 to below 1
 */
export function createRanges({ startMs, endMs }: Ledger, random: () => number): () => Range {
  let turn = 0
  // Not at the beginning of a second or of ten, so that as many fields as possible have to be read.
  const odd = (timeMs: number) => Math.floor(timeMs / 2) * 2 + 1
  const within = (fromMs: number, toMs: number) => odd(fromMs + random() * (toMs - fromMs - 2))
  return () => {
    const name = RANGES[turn++ % RANGES.length] ?? 'any'
    switch (name) {
      case 'all time':
        return { name, fromMs: 0, toMs: Infinity }
      case '30 days': {
        const toMs = within(endMs - 86_400_000, endMs)
        return { name, fromMs: toMs - DAYS * 86_400_000, toMs }
      }
      case '15 s': {
        const fromMs = within(startMs, endMs - 15_000)
        return { name, fromMs, toMs: fromMs + 15_000 }
      }
      case 'any': {
        const [one, other] = [within(startMs, endMs), within(startMs, endMs)]
        return { name, fromMs: Math.min(one, other), toMs: Math.max(one, other) }
      }
    }
  }
}

/** The request for a range; everything has no bounds. */
export function pathOf({ fromMs, toMs }: Range): string {
  if (toMs === Infinity) return '/payments-summary'
  return `/payments-summary?from=${new Date(fromMs).toISOString()}&to=${new Date(toMs).toISOString()}`
}
