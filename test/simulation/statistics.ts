import type { Schedule } from '../support/contest/schedule.ts'
import { ascending, quantile, sum } from '../support/statistics.ts'
import { simulate, type RunResult, type SimulationOptions } from './simulate.ts'
import { randomSchedule, type Family } from './schedules.ts'

/** What a policy did with many schedules. Shares are of 1. */
export type Statistics = {
  /** Profit by the oracle's, one a schedule, from the worst to the best. */
  shares: number[]
  fallbackShare: number
  leftOverShare: number
  /** Medians over the schedules. */
  settleMsP50: number
  settleMsP99: number
  /** The worst of all schedules. */
  waitedBesideIdleMs: number
}

export type RandomSet = { seed: number; count: number; family: Family }

/** @param onRun is called after each schedule */
export function simulateMany(
  { seed, count, family }: RandomSet,
  options: SimulationOptions,
  onRun: (schedule: Schedule) => void = () => undefined
): Statistics {
  const results: RunResult[] = []
  for (let index = 0; index < count; index++) {
    const schedule = randomSchedule(seed, index, family)
    results.push(simulate(schedule, options))
    onRun(schedule)
  }
  const total = (value: (result: RunResult) => number) => sum(results.map(value))
  const median = (value: (result: RunResult) => number) => quantile(ascending(results.map(value)), 0.5)
  return {
    shares: ascending(results.map(shareOf)),
    fallbackShare: total(({ bookedFallback }) => bookedFallback) / total(({ asked }) => asked),
    leftOverShare: total(({ leftOver }) => leftOver) / total(({ asked }) => asked),
    settleMsP50: median(result => result.settleMsP50),
    settleMsP99: median(result => result.settleMsP99),
    waitedBesideIdleMs: Math.max(...results.map(result => result.waitedBesideIdleMs))
  }
}

/** A run in which nothing could be earned counts as perfect. */
function shareOf({ profit, idealProfit }: RunResult): number {
  return idealProfit === 0 ? 1 : profit / idealProfit
}
