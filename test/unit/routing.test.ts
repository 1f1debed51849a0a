// Goal: default while it works and has room; fallback for what waited too long or would; probes only where nothing
// works; nothing beyond the limits, and never more for fallback when payments may wait for longer.
// Method: facts with what differs in each case; and properties over any facts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CLOSED, type Breaker } from '../../processor-worker/breaker.ts'
import { chooseTakes, type ProcessorFacts, type RoutingFacts } from '../../processor-worker/routing.ts'
import { ROUTING_VARIABLES, routingParametersOf } from '../../processor-worker/routing-parameters.ts'
import { readConfig } from '../../shared/environment.ts'

const PARAMETERS = {
  ...routingParametersOf(readConfig(ROUTING_VARIABLES, {})),
  fallbackAfterMs: 10_000,
  fallbackWaitMs: 4_000,
  surplusWaitMs: 1_000,
  bothBackWaitMs: 2_000,
  breakerOpenMs: 100,
  takePerSecondMax: 50_000
}
const NOW_MS = 1_000_000
const opened = (sinceMs: number, probedAtMs = sinceMs, failedSentAtMs = sinceMs): Breaker => ({
  state: 'open',
  sinceMs,
  probedAtMs,
  failedSentAtMs
})
const OPEN = opened(NOW_MS - 99)
const DUE = opened(NOW_MS - 100)
const AGED = { minAgeMs: 10_000 }

type Given = Partial<Pick<RoutingFacts, 'tookAtMs' | 'waitingCount' | 'workerCount'>> &
  Record<'default' | 'fallback', Partial<ProcessorFacts>>

const factsOf = (given: Given): RoutingFacts => {
  const known = { breaker: CLOSED, inFlightCount: 0, latencyMs: 10 }
  return {
    nowMs: NOW_MS,
    tookAtMs: 0,
    waitingCount: 0,
    workerCount: 1,
    ...given,
    default: { ...known, ...given.default },
    fallback: { ...known, ...given.fallback }
  }
}
const choose = (given: Given) => chooseTakes(factsOf(given), PARAMETERS)

test('with both well everything goes to default, however slow it is', () => {
  const take = { processor: 'default', countMax: 256, isProbe: false }
  for (const latencyMs of [0, 10, 5_000]) assert.deepEqual(choose({ default: { latencyMs }, fallback: {} }), [take])
  const [whileFailing] = choose({ default: { inFlightCount: 700 }, fallback: { breaker: DUE } })
  assert.deepEqual(whileFailing, { ...take, countMax: 100 })
})

test('with default failing, payments that have waited go to fallback, and probes to default', () => {
  const aged = { processor: 'fallback', countMax: 256, isProbe: false, only: AGED }
  assert.deepEqual(choose({ default: { breaker: OPEN }, fallback: {} }), [aged])
  const probe = { processor: 'default', countMax: 1, isProbe: true }
  assert.deepEqual(choose({ default: { breaker: DUE }, fallback: {} }), [aged, probe])
  // Nothing would be left to probe with if fallback, which gets everything at once, came first.
  const facts = factsOf({ default: { breaker: DUE }, fallback: {} })
  assert.deepEqual(chooseTakes(facts, { ...PARAMETERS, fallbackAfterMs: 0 })[0], probe)
})

test('once default has failed for as long as payments wait for it, they wait for less', () => {
  const until = (failingMs: number, changed = {}) => {
    const facts = factsOf({ default: { breaker: opened(NOW_MS - failingMs, NOW_MS) }, fallback: {} })
    return chooseTakes(facts, { ...PARAMETERS, ...changed })[0]?.only
  }
  assert.deepEqual(until(9_999), AGED)
  assert.deepEqual(until(10_000), { minAgeMs: 4_000 })
  // Never for more.
  assert.deepEqual(until(10_000, { fallbackWaitMs: 20_000 }), AGED)
})

test('with both failing they wait, but for one probe each', () => {
  assert.deepEqual(choose({ default: { breaker: OPEN }, fallback: { breaker: OPEN } }), [])
  const probe = { countMax: 1, isProbe: true }
  const probes = [
    { processor: 'fallback', ...probe },
    { processor: 'default', ...probe }
  ]
  assert.deepEqual(choose({ default: { breaker: DUE }, fallback: { breaker: DUE } }), probes)
})

test('what default cannot take in time is the surplus, and only that goes to fallback', () => {
  // 800 places at 2 s each are 400 a second.
  const full = { latencyMs: 2_000, inFlightCount: 800 }
  const nearlyFull = { latencyMs: 2_000, inFlightCount: 799 }
  const surplus = { processor: 'fallback', countMax: 256, isProbe: false, only: { leaveCount: 400 } }
  assert.deepEqual(choose({ waitingCount: 0, default: full, fallback: {} }), [surplus])
  const last = { processor: 'default', countMax: 1, isProbe: false }
  assert.deepEqual(choose({ waitingCount: 401, default: nearlyFull, fallback: {} }), [last, surplus])
  assert.deepEqual(choose({ waitingCount: 400, default: nearlyFull, fallback: {} }), [last])
  // Two workers have 1,600 places there, or the 800 divided among them.
  assert.deepEqual(choose({ workerCount: 2, default: full, fallback: {} })[0]?.only, { leaveCount: 800 })
  // It would be a surplus even if default came back now.
  assert.deepEqual(choose({ waitingCount: 401, default: { latencyMs: 2_000, breaker: OPEN }, fallback: {} }), [surplus])
})

test('when fallback is back first, nothing goes there until a younger probe says that default is not, or time is up', () => {
  const back = (agoMs: number): Breaker => ({ ...CLOSED, sinceMs: NOW_MS - agoMs })
  const probed = (refusedAgoMs: number) => opened(NOW_MS - 30_000, NOW_MS - 50, NOW_MS - refusedAgoMs)
  const toFallback = (backAgoMs: number, refusedAgoMs: number) =>
    choose({ default: { breaker: probed(refusedAgoMs) }, fallback: { breaker: back(backAgoMs) } }).length
  assert.deepEqual([toFallback(500, 600), toFallback(500, 400)], [0, 1])
  assert.deepEqual([toFallback(1_999, 3_000), toFallback(2_000, 3_000)], [0, 1])
})

test('a drain is paced', () => {
  const countMax = (agoMs: number) => choose({ tookAtMs: NOW_MS - agoMs, default: {}, fallback: {} })[0]?.countMax
  assert.deepEqual([0, 2, 4, 50].map(countMax), [1, 100, 200, 256])
})

// ---- for any facts ---------------------------------------------------------------------------------

const ms = fc.integer({ min: 0, max: 60_000 }).map(agoMs => NOW_MS - agoMs)
const breaker = fc.oneof(
  fc.constant(CLOSED),
  fc.record({
    state: fc.constant('closed' as const),
    failureCount: fc.integer({ min: 0, max: 2 }),
    sinceMs: ms,
    succeededAtMs: ms
  }),
  fc.record({ state: fc.constant('open' as const), sinceMs: ms, probedAtMs: ms, failedSentAtMs: ms })
)
const processor = fc.record({
  breaker,
  inFlightCount: fc.integer({ min: 0, max: 2_000 }),
  latencyMs: fc.integer({ min: 0, max: 20_000 })
})
const anyFacts: fc.Arbitrary<RoutingFacts> = fc.record({
  nowMs: fc.constant(NOW_MS),
  tookAtMs: ms,
  waitingCount: fc.integer({ min: 0, max: 100_000 }),
  workerCount: fc.integer({ min: 1, max: 4 }),
  default: processor,
  fallback: processor
})

test('never more in flight than the cap, and nothing to a processor that refuses but for single probes at their pace', () => {
  fc.assert(
    fc.property(anyFacts, facts => {
      for (const take of chooseTakes(facts, PARAMETERS)) {
        const { breaker: given, inFlightCount } = facts[take.processor]
        assert(take.countMax > 0 && inFlightCount + take.countMax <= PARAMETERS.inFlightMax)
        assert.equal(take.isProbe, given.state === 'open')
        if (given.state === 'open') assert(take.countMax === 1 && NOW_MS - given.probedAtMs >= PARAMETERS.breakerOpenMs)
        // Fallback never gets just anything, but for a probe while default fails.
        const isAny = take.processor === 'default' || (take.isProbe && facts.default.breaker.state === 'open')
        assert.equal(take.only === undefined, isAny)
      }
    }),
    { numRuns: 2_000 }
  )
})

test('with both well and room at default for what waits, fallback gets nothing', () => {
  fc.assert(
    fc.property(anyFacts, fc.integer({ min: 0, max: 799 }), (facts, inFlightCount) => {
      const well = {
        ...facts,
        waitingCount: 0,
        default: { ...facts.default, breaker: CLOSED, inFlightCount },
        fallback: { ...facts.fallback, breaker: CLOSED }
      }
      const processors = chooseTakes(well, PARAMETERS).map(take => take.processor)
      assert.deepEqual(processors, ['default'])
    })
  )
})

test('the longer payments may wait, the fewer fallback may get', () => {
  // How many of 1,000 waiting payments, one accepted every 50 ms, fallback would be handed.
  const toFallback = (facts: RoutingFacts, changed: Partial<typeof PARAMETERS>) => {
    const take = chooseTakes(facts, { ...PARAMETERS, ...changed }).find(each => each.processor === 'fallback')
    if (take?.only === undefined) return take?.countMax ?? 0
    const { only } = take
    const allowed = 'leaveCount' in only ? 1_000 - only.leaveCount : 1_000 - Math.ceil(only.minAgeMs / 50)
    return Math.min(take.countMax, Math.max(0, allowed))
  }
  const wait = fc.integer({ min: 0, max: 60_000 })
  const name = fc.constantFrom('fallbackAfterMs', 'fallbackWaitMs', 'surplusWaitMs', 'bothBackWaitMs')
  fc.assert(
    fc.property(anyFacts, name, wait, wait, (given, parameter, one, other) => {
      const facts = { ...given, waitingCount: 1_000 }
      // While default fails, the surplus goes in one exchange and what has waited in the next: here only the former is
      // seen.
      if (parameter === 'surplusWaitMs') facts.default = { ...facts.default, breaker: CLOSED }
      const [shorter, longer] = [Math.min(one, other), Math.max(one, other)]
      assert(toFallback(facts, { [parameter]: longer }) <= toFallback(facts, { [parameter]: shorter }))
    }),
    { numRuns: 2_000 }
  )
})
