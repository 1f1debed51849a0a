import {
  ROUTING_VARIABLES,
  routingParametersOf,
  type RoutingParameters
} from '../../processor-worker/routing-parameters.ts'
import { readConfig } from '../../shared/environment.ts'
import type { Schedule } from '../support/contest/schedule.ts'
import { POLICIES } from './policies.ts'
import { simulate, type Sample } from './simulate.ts'
import { simulateMany, type RandomSet, type Statistics } from './statistics.ts'
import { percent, renderRuns, renderStatistics } from './tables.ts'
import { plotRun } from './plot.ts'

const COUNT = 500
/** The defaults were chosen by the first of these sets, and others before the second, which nobody had looked at. */
export const CHOOSE: RandomSet = { seed: 1, count: COUNT, family: 'plausible' }
export const REPORT: RandomSet = { seed: 6, count: COUNT, family: 'plausible' }
const EVEN: RandomSet = { seed: 6, count: 200, family: 'even' }

export const DEFAULTS = routingParametersOf(readConfig(ROUTING_VARIABLES, {}))

/** What was tried on the first set, around what was chosen. */
const CANDIDATES: Record<string, Partial<RoutingParameters>> = {
  'the defaults: 11 s, then 8 s; 5 s': {},
  '11 s, then 11 s': { fallbackWaitMs: 11_000 },
  '11 s, then 10 s': { fallbackWaitMs: 10_000 },
  '11 s, then 6 s': { fallbackWaitMs: 6_000 },
  '5 s, then 5 s': { fallbackAfterMs: 5_000, fallbackWaitMs: 5_000 },
  '15 s, then 2 s': { fallbackAfterMs: 15_000, fallbackWaitMs: 2_000 },
  '20 s, then 8 s': { fallbackAfterMs: 20_000 },
  '22 s, then 22 s': { fallbackAfterMs: 22_000, fallbackWaitMs: 22_000 },
  'SURPLUS_WAIT_MS 1 s': { surplusWaitMs: 1_000 },
  'SURPLUS_WAIT_MS 10 s': { surplusWaitMs: 10_000 },
  'no wait for both': { bothBackWaitMs: 0 }
}

/** For people who are not in a contest. */
export const SETTINGS: Record<string, Partial<RoutingParameters>> = {
  'the defaults': {},
  'cheapest within 2 s': { fallbackAfterMs: 2_000, fallbackWaitMs: 2_000, surplusWaitMs: 2_000 },
  'cheapest within 30 s': { fallbackAfterMs: 30_000, fallbackWaitMs: 30_000, surplusWaitMs: 30_000 },
  fastest: { fallbackAfterMs: 0, fallbackWaitMs: 0, surplusWaitMs: 0, bothBackWaitMs: 0 },
  'default only': { fallbackAfterMs: 86_400_000, fallbackWaitMs: 86_400_000, surplusWaitMs: 86_400_000 }
}

type OnRun = (schedule: Schedule) => void

/** Schedules that the whole report runs. */
export const REPORT_RUNS =
  COUNT * (Object.keys(CANDIDATES).length + Object.keys(POLICIES).length + Object.keys(SETTINGS).length - 1) +
  EVEN.count * Object.keys(POLICIES).length

/** The generated part of docs/routing.md. The same code gives the same text. */
export function renderReport(published: Schedule, onRun: OnRun): string {
  const ours = POLICIES['this policy'] ?? neverMissing()
  const run = (set: RandomSet, policy = ours, changed: Partial<RoutingParameters> = {}) =>
    simulateMany(set, { policy, parameters: { ...DEFAULTS, ...changed } }, onRun)
  const byPolicy = (set: RandomSet) =>
    Object.entries(POLICIES).map(([name, policy]) => [name, run(set, policy)] as [string, Statistics])
  const candidates = Object.entries(CANDIDATES).map(
    ([name, changed]) => [name, run(CHOOSE, ours, changed)] as [string, Statistics]
  )
  const reported = byPolicy(REPORT)
  const even = byPolicy(EVEN)
  const first = reported[0]?.[1] ?? neverMissing()
  const settings = Object.entries(SETTINGS).map(
    ([name, changed], index) => [name, index === 0 ? first : run(REPORT, ours, changed)] as [string, Statistics]
  )
  return [
    `**The set that the defaults were chosen by**: ${COUNT} plausible schedules, seed ${CHOOSE.seed}.`,
    fenced(renderStatistics(candidates)),
    `**The set that counts**, looked at once everything was chosen: ${COUNT} plausible schedules, seed ${REPORT.seed}.`,
    fenced(renderStatistics(reported)),
    renderSample(),
    `The longest that a payment waited while a processor that worked had nothing to do: ${(first.waitedBesideIdleMs / 1_000).toFixed(1)} s.`,
    `**Far too much for both processors**, most of the time: ${EVEN.count} even schedules, seed ${EVEN.seed}.`,
    fenced(renderStatistics(even)),
    '**The published schedule.**',
    fenced(renderPublished(published)),
    '**Other settings**, on the set that counts.',
    fenced(renderStatistics(settings))
  ].join('\n\n')
}

/** The part of the report by which a test tells in seconds whether it is up to date. */
export function renderSample(): string {
  const set = { ...REPORT, count: 20 }
  const statistics = simulateMany(set, { policy: POLICIES['this policy'] ?? neverMissing(), parameters: DEFAULTS })
  return `The first ${set.count} of them alone, by which a test sees whether this page is up to date.\n\n${fenced(renderStatistics([['this policy', statistics]]))}`
}

export function renderPublished(published: Schedule): string {
  return renderRuns(
    Object.entries(POLICIES).map(([name, policy]) => [name, simulate(published, { policy, parameters: DEFAULTS })])
  )
}

/** The plot of one run with the policy. */
export function plotSchedule(title: string, schedule: Schedule, parameters: RoutingParameters): string {
  const samples: Sample[] = []
  const policy = POLICIES['this policy'] ?? neverMissing()
  const { profit, idealProfit } = simulate(schedule, {
    policy,
    parameters,
    sample: each => samples.push(each)
  })
  return plotRun(`${title}: ${percent(profit / idealProfit)} of the ideal`, schedule, samples)
}

const BEGIN = '<!-- made by: npm run simulate -- --report -->'
const END = '<!-- end -->'

/** Puts the report into the page, between the two marks. */
export function insertReport(page: string, report: string): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (from < 0 || to < from) throw new Error(`the page has no place for the report: it wants ${BEGIN} and ${END}`)
  return `${page.slice(0, from + BEGIN.length)}\n\n${report}\n\n${page.slice(to)}`
}

function fenced(text: string): string {
  return `\`\`\`\n${text}\n\`\`\``
}

function neverMissing(): never {
  throw new Error('POLICIES begins with this policy')
}
