// Goal: default while it works and has room; fallback only for payments that have waited; nothing beyond the limits.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Breaker } from '../../processor-worker/breaker.ts'
import { CLOSED } from '../../processor-worker/breaker.ts'
import { chooseTakes, type RoutingFacts } from '../../processor-worker/routing.ts'

const LIMITS = { breaker: { failuresMax: 3, openMs: 100 }, inFlightMax: 800, takeMax: 256, fallbackAfterMs: 10_000 }
const NOW_MS = 1_000_000
const OPEN: Breaker = { state: 'open', openedAtMs: NOW_MS }
const DUE: Breaker = { state: 'open', openedAtMs: NOW_MS - 100 }

const choose = (byDefault: Breaker, byFallback: Breaker, inFlightCounts = { default: 0, fallback: 0 }) =>
  chooseTakes({ nowMs: NOW_MS, breakers: { default: byDefault, fallback: byFallback }, inFlightCounts }, LIMITS)

test('with default well everything goes there', () => {
  assert.deepEqual(choose(CLOSED, CLOSED), [{ processor: 'default', countMax: 256, isProbe: false }])
  assert.deepEqual(choose(CLOSED, OPEN, { default: 700, fallback: 0 }), [{ processor: 'default', countMax: 100, isProbe: false }])
})

test('with default broken or full, only payments that have waited go to fallback', () => {
  const aged = { processor: 'fallback', countMax: 256, isProbe: false, acceptedUntilMs: NOW_MS - 10_000 }
  assert.deepEqual(choose(OPEN, CLOSED), [aged])
  assert.deepEqual(choose({ state: 'half-open' }, CLOSED), [aged])
  assert.deepEqual(choose(CLOSED, CLOSED, { default: 800, fallback: 0 }), [aged])
  assert.deepEqual(choose(DUE, CLOSED), [{ processor: 'default', countMax: 1, isProbe: true }, aged])
})

test('with both broken payments wait, but for one probe each', () => {
  assert.deepEqual(choose(OPEN, OPEN), [])
  assert.deepEqual(choose(DUE, DUE).map(({ processor, countMax }) => [processor, countMax]), [['default', 1], ['fallback', 1]])
})

test('limits hold for any facts', () => {
  const breaker = fc.constantFrom<Breaker>(CLOSED, OPEN, DUE, { state: 'half-open' })
  const count = fc.integer({ min: 0, max: 2_000 })
  const facts: fc.Arbitrary<RoutingFacts> = fc.record({
    nowMs: fc.constant(NOW_MS), breakers: fc.record({ default: breaker, fallback: breaker }), inFlightCounts: fc.record({ default: count, fallback: count })
  })
  fc.assert(fc.property(facts, given => {
    for (const take of chooseTakes(given, LIMITS)) {
      assert(take.countMax > 0 && take.countMax <= LIMITS.takeMax)
      assert(given.inFlightCounts[take.processor] + take.countMax <= LIMITS.inFlightMax)
      if (given.breakers[take.processor].state !== 'closed') assert(take.isProbe && take.countMax === 1)
      if (take.processor === 'fallback') assert.equal(take.acceptedUntilMs, NOW_MS - LIMITS.fallbackAfterMs)
    }
  }))
})
