import { chooseTakes, type Take } from '../../processor-worker/routing.ts'
import { isProbeDue } from '../../processor-worker/breaker.ts'
import type { RoutingParameters } from '../../processor-worker/routing-parameters.ts'
import { PROCESSOR_NAMES, type ProcessorName } from '../../shared/payment.ts'
import type { Policy, SimulatedFacts } from './worker.ts'

const TAKE_MAX = 256

/** What people write first, to compare with. All have the same breakers and limits as ours. */
export const POLICIES: Record<string, Policy> = {
  'this policy': chooseTakes,
  'default only': (facts, parameters) =>
    takesInOrder(['default'], facts, parameters).filter(({ processor }) => processor === 'default'),
  'fallback on failure': (facts, parameters) =>
    takesInOrder(isUsable('default', facts) ? ['default'] : ['fallback'], facts, parameters),
  'lowest latency': (facts, parameters) =>
    takesInOrder(
      publishedDelayMs('default', facts) <= publishedDelayMs('fallback', facts)
        ? ['default', 'fallback']
        : ['fallback', 'default'],
      facts,
      parameters
    ),
  'unless 3 times slower': (facts, parameters) =>
    takesInOrder(
      publishedDelayMs('default', facts) <= 3 * publishedDelayMs('fallback', facts)
        ? ['default', 'fallback']
        : ['fallback', 'default'],
      facts,
      parameters
    )
}

function isUsable(name: ProcessorName, facts: SimulatedFacts): boolean {
  return facts[name].breaker.state === 'closed'
}

/** By the last poll; a failing processor is infinitely slow. */
function publishedDelayMs(name: ProcessorName, facts: SimulatedFacts): number {
  const known = facts.published[name]
  return !isUsable(name, facts) || known?.failing === true ? Number.MAX_SAFE_INTEGER : (known?.minResponseTimeMs ?? 0)
}

/** Everything to the first that works and has room, and a probe to each that doesn't work. */
function takesInOrder(names: readonly ProcessorName[], facts: SimulatedFacts, parameters: RoutingParameters): Take[] {
  const takes: Take[] = []
  const limits = {
    failuresMax: parameters.breakerFailures,
    openMs: parameters.breakerOpenMs,
    ownWordMs: parameters.ownWordMs
  }
  for (const processor of PROCESSOR_NAMES) {
    if (isProbeDue(facts[processor].breaker, facts.nowMs, limits)) takes.push({ processor, countMax: 1, isProbe: true })
  }
  for (const processor of names) {
    const countMax = Math.min(TAKE_MAX, parameters.inFlightMax - facts[processor].inFlightCount)
    if (!isUsable(processor, facts) || countMax <= 0) continue
    takes.push({ processor, countMax, isProbe: false })
    break
  }
  return takes
}
