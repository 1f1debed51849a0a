import { ascending, quantile } from '../statistics.ts'
import type { Answer } from './ask.ts'
import { RANGES, type RangeName } from './ranges.ts'
import type { Summaries } from './result.ts'

export function summariesOf(answers: readonly Answer[], lateMs: readonly number[]): Summaries {
  const of = (name: RangeName) => {
    const latencies = ascending(answers.filter(({ range }) => range.name === name).map(({ latencyMs }) => latencyMs))
    return {
      asked: latencies.length,
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
      maxMs: quantile(latencies, 1)
    }
  }
  return {
    ranges: Object.fromEntries(RANGES.map(name => [name, of(name)])) as Summaries['ranges'],
    lateP99Ms: quantile(ascending(lateMs), 0.99)
  }
}
