// One run of the contest against a system that is up: k6's schedule, then the wait for what is left over.
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { differences, readBackend, readProcessors, requestsIn, type ProcessorUrls } from '../books.ts'
import { say } from '../command.ts'
import { runProgram } from '../program.ts'
import type { Result } from './score.ts'

/** The system that a run is about. */
export type System = {
  backendUrl: string
  processorUrls: ProcessorUrls
  /** The processors' X-Rinha-Token. */
  token: string
}

export type Run = { result: Result; drained: Drained }

export type Drained = {
  /** Payments in the processors' books in the end. */
  finallySettled: number
  /** Accepted payments that are still in no processor's books. */
  neverSettled: number
  /** Until nothing was left over and the books agreed; null when the time ran out before. */
  drainMs: number | null
  /** Of the books over everything; empty when they agree. */
  differences: string[]
}

const CONTEST = resolve(import.meta.dirname, '../../k6/contest.js')
// k6 says this for each single failed request; how many there were is part of the result.
const NOISE = 'Request Failed'
const ASK_EVERY_MS = 250

/** @param drainMaxMs how long it waits for payments that are left over at the end of the schedule */
export async function runOnce(
  k6: string,
  { schedulePath, drainMaxMs }: { schedulePath: string; drainMaxMs: number },
  system: System,
  signal: AbortSignal
): Promise<Run> {
  const result = await runK6(k6, schedulePath, system, signal)
  if (result.lag > 0) say(`${result.lag} payments were left over at the end; waiting for them`)
  return { result, drained: await drain(result.accepted, drainMaxMs, system, signal) }
}

/** Waits, at most `maxMs`, until everything accepted is settled and both sets of books agree over everything. */
async function drain(
  accepted: number,
  maxMs: number,
  { backendUrl, processorUrls, token }: System,
  signal: AbortSignal
): Promise<Drained> {
  const startMs = performance.now()
  while (true) {
    signal.throwIfAborted()
    const [processors, backend] = await Promise.all([readProcessors(processorUrls, token), readBackend(backendUrl)])
    const finallySettled = requestsIn(processors)
    const neverSettled = Math.max(0, accepted - finallySettled)
    const found = differences(processors, backend)
    const spentMs = Math.round(performance.now() - startMs)
    const isDone = neverSettled === 0 && found.length === 0
    if (isDone || spentMs > maxMs) {
      return { finallySettled, neverSettled, drainMs: isDone ? spentMs : null, differences: found }
    }
    await sleep(ASK_EVERY_MS, undefined, { signal })
  }
}

/**
 * Whether every request succeeded, no check found a difference, and in the end everything accepted was settled, once.
 */
export function isFine({ result, drained: { finallySettled, neverSettled, differences } }: Run): boolean {
  return (
    result.failedRequests === 0 &&
    result.inconsistencies === 0 &&
    !result.disqualified &&
    finallySettled <= result.asked &&
    neverSettled === 0 &&
    differences.length === 0
  )
}

export function describeDrain({ result: { lag, asked }, drained }: Run): string {
  const { finallySettled, neverSettled, drainMs, differences } = drained
  const lines = [
    lag === 0
      ? 'Nothing was left over at the end.'
      : `${lag} payments were left over at the end; ${lag - neverSettled} settled afterwards, ${neverSettled} did not.`
  ]
  if (finallySettled > asked) lines.push(`PAID TWICE: ${finallySettled} settled, but ${asked} asked for.`)
  if (differences.length > 0) lines.push(`THE FULL BOOKS DIFFER: ${differences.join('; ')}.`)
  else lines.push(`The full books agree${drainMs === null ? '' : `, ${(drainMs / 1000).toFixed(1)} s after the run`}.`)
  return lines.map(line => `  ${line}`).join('\n')
}

/**
 * Runs contest.js against the target and returns its result; its progress goes to stderr.
 * @throws Error when k6 fails; the signal's reason when aborted, after k6 has put the processors right again
 */
async function runK6(k6: string, schedulePath: string, target: System, signal: AbortSignal): Promise<Result> {
  const words = [k6, 'run', '--quiet', '--no-usage-report', '--address=', '--log-format=raw', CONTEST]
  const output = await runProgram(words, {
    environment: {
      BACKEND_URL: target.backendUrl,
      DEFAULT_PROCESSOR_URL: target.processorUrls.default,
      FALLBACK_PROCESSOR_URL: target.processorUrls.fallback,
      TOKEN: target.token,
      SCHEDULE: schedulePath,
      RESULT: 'json'
    },
    signal,
    // k6 takes a second one as "leave at once" and would not put the processors right.
    stopSignal: 'SIGINT',
    onErrorLine(line) {
      if (line !== NOISE) say(line)
    }
  })
  const line = output.split('\n').find(candidate => candidate.startsWith('{'))
  if (line === undefined) throw new Error(`k6 ended without a result\n${output}`.trim())
  return JSON.parse(line) as Result
}
