// What changed between two sets of runs, and whether it is more than the noise. Pure.
import { SERVICES, timesBare, type RateResult, type RunResult } from './result.ts'
import { median } from '../support/statistics.ts'

type Figure = {
  name: string
  of: (rate: RateResult, run: RunResult) => number
  better: 'lower' | 'higher'
  /** A smaller change says nothing, however often it was measured; undefined for what is shown only. */
  leastChange?: number
}

/**
 * What decides, and what explains it. The least changes are what two sets of three or more runs of the same commit can
 * differ by on a machine that others share.
 */
const FIGURES: readonly Figure[] = [
  { name: 'settled/s', of: rate => rate.settledPerSecond, better: 'higher', leastChange: 0.03 },
  { name: 'µs a payment', of: rate => rate.cpuMicrosPerPayment, better: 'lower', leastChange: 0.05 },
  { name: 'accept p99 ms', of: rate => rate.acceptP99Ms, better: 'lower', leastChange: 0.3 },
  { name: 'settle p99 ms', of: rate => rate.settleP99Ms, better: 'lower', leastChange: 0.3 },
  { name: 'memory MB', of: rate => rate.memoryMegabytes, better: 'lower', leastChange: 0.1 },
  { name: 'µs / bare pipeline', of: timesBare, better: 'lower' },
  ...SERVICES.map((service): Figure => ({
    name: `µs ${service}`,
    of: rate => rate.cpuMicrosByService[service],
    better: 'lower'
  }))
]

/** With fewer runs on either side their spread is not known, and only changes this much larger count. */
const RUNS_FOR_SPREAD = 3
const FEW_RUNS_FACTOR = 3

export type Change = {
  rate: number
  figure: string
  /** Medians. */
  before: number
  after: number
  /** After to before: of the medians, and the least and most that any two runs give. */
  ratio: number
  ratioMin: number
  ratioMax: number
  /** `same`: within the noise. `shown`: decides nothing. */
  verdict: 'better' | 'same' | 'WORSE' | 'shown'
}

/**
 * For each rate that both have. A change is more than noise when the runs before and after do not overlap (the worst of
 * one side is better than the best of the other) and their medians differ by the figure's least change.
 */
export function compareRuns(before: readonly RunResult[], after: readonly RunResult[]): Change[] {
  const factor = Math.min(before.length, after.length) < RUNS_FOR_SPREAD ? FEW_RUNS_FACTOR : 1
  const rates = (after[0]?.rates ?? [])
    .map(({ rate }) => rate)
    .filter(rate => valuesAt(before, rate, () => 0).length > 0)
  return rates.flatMap(rate =>
    FIGURES.map(figure => {
      const [old, now] = [valuesAt(before, rate, figure.of), valuesAt(after, rate, figure.of)]
      const change = {
        before: median(old),
        after: median(now),
        ratio: median(now) / median(old),
        ratioMin: Math.min(...now) / Math.max(...old),
        ratioMax: Math.max(...now) / Math.min(...old)
      }
      return { rate, figure: figure.name, ...change, verdict: verdictOn(figure, change, factor) }
    })
  )
}

function verdictOn(
  { better, leastChange }: Figure,
  { ratio, ratioMin, ratioMax }: Pick<Change, 'ratio' | 'ratioMin' | 'ratioMax'>,
  factor: number
): Change['verdict'] {
  if (leastChange === undefined) return 'shown'
  const least = 1 + leastChange * factor
  const [isHigher, isLower] = [ratio > least && ratioMin > 1, ratio < 1 / least && ratioMax < 1]
  if (better === 'lower') return isHigher ? 'WORSE' : isLower ? 'better' : 'same'
  return isLower ? 'WORSE' : isHigher ? 'better' : 'same'
}

function valuesAt(runs: readonly RunResult[], rate: number, of: Figure['of']): number[] {
  return runs
    .flatMap(run => run.rates.filter(each => each.rate === rate).map(each => of(each, run)))
    .filter(Number.isFinite)
}
