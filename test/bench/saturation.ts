// What a rate's figures stand for, when it is not the pipeline alone. Pure.
import { SERVICES, type RateResult } from './result.ts'

const NEARLY_ALL = 0.99
const FULL = 0.95
/** Below this the load tool is on time. */
const LAG_MS = 1

/** Of a quiet machine. */
const OTHER_CORES_MAX = 0.2

const THROTTLED_MIN = 0.01

/** Sentences; none when the load was as asked, and nothing but the pipeline itself was a limit. */
export function describeLimits(result: RateResult, coreCount: number): string[] {
  const { rate, offeredPerSecond, settledPerSecond, acceptedPerSecond, loadLagP99Ms, cores } = result
  const limits: string[] = []
  if (offeredPerSecond < NEARLY_ALL * rate) {
    const why =
      loadLagP99Ms > LAG_MS
        ? `the load tool was late by itself (p99 ${loadLagP99Ms.toFixed(1)} ms)`
        : 'all its connections waited for answers'
    limits.push(`OFFERED LESS THAN ASKED: ${offeredPerSecond.toFixed(0)}/s, since ${why}.`)
  } else if (loadLagP99Ms > LAG_MS) {
    limits.push(`The load tool was late by itself: p99 ${loadLagP99Ms.toFixed(1)} ms, which is in the latencies.`)
  }
  limits.push(...describeCores(cores, coreCount))
  const throttled = SERVICES.filter(service => result.throttledByService[service] >= THROTTLED_MIN).map(
    service => `${service} ${(result.throttledByService[service] * 100).toFixed(0)} %`
  )
  if (throttled.length > 0) limits.push(`Held back by CPU limits, of the time: ${throttled.join(', ')}.`)
  if (settledPerSecond < NEARLY_ALL * acceptedPerSecond) {
    limits.push(`The queue grew: ${result.backlog} payments were accepted and not settled when the time was over.`)
  }
  return limits
}

/** Whether the load was as asked and the queue did not grow. */
export function isSustained({ rate, offeredPerSecond, acceptedPerSecond, settledPerSecond }: RateResult): boolean {
  return offeredPerSecond >= NEARLY_ALL * rate && settledPerSecond >= NEARLY_ALL * acceptedPerSecond
}

/** What the cores of the machine tell about a limit; sentences. */
export function describeCores(
  { services, models, busiestModel, load, other }: RateResult['cores'],
  coreCount: number
): string[] {
  const limits: string[] = []
  if (services + models + load + other >= FULL * coreCount) {
    limits.push(
      `The machine was full, so the pipeline alone can do more: of ${coreCount} cores the services had ${services.toFixed(2)}, ` +
        `the load ${load.toFixed(2)}, the models ${models.toFixed(2)}.`
    )
  }
  if (other > OTHER_CORES_MAX) limits.push(`NOT A QUIET MACHINE: something else had ${other.toFixed(2)} cores.`)
  if (busiestModel >= FULL) limits.push('A processor model had a whole core: it is the limit, not the pipeline.')
  return limits
}
