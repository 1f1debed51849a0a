// One run of the contest against a system that is up: k6's schedule, then the wait for what is left over.
import { readBackend, readProcessors } from './books.ts'
import { drain, type Drained } from './drain.ts'
import { runK6 } from './run-k6.ts'
import type { Result } from './score.ts'
import type { Target } from './target.ts'

export type Run = { result: Result; drained: Drained }

/** @param drainMaxMs how long it waits for payments that are left over at the end of the schedule */
export async function runOnce(
  k6: string,
  schedulePath: string,
  drainMaxMs: number,
  target: Pick<Target, 'backendUrl' | 'processorUrls' | 'token'>,
  signal: AbortSignal
): Promise<Run> {
  const { backendUrl, processorUrls, token } = target
  const result = await runK6(k6, schedulePath, target, signal)
  if (result.lag > 0) console.error(`${result.lag} payments were left over at the end; waiting for them`)
  const drained = await drain(
    result.accepted,
    drainMaxMs,
    async () => {
      const [processors, backend] = await Promise.all([readProcessors(processorUrls, token), readBackend(backendUrl)])
      return { processors, backend }
    },
    signal
  )
  return { result, drained }
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
