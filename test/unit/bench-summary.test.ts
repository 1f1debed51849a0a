// Goal: the benchmark's own sums are right, so that a wrong summary can't pass; its ranges are what they are called.
// Method: sums against adding up payment by payment, over random ranges of a small ledger.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { assertRight, createRanges, pathOf, RANGES, summariesOf, type Range } from '../bench/summary/ask.ts'
import { createLedger, DAYS, type Ledger } from '../bench/summary/ledger.ts'
import { SUMMARY } from '../bench/summary/run.ts'
import { BooksError } from '../bench/system-books.ts'
import { settingsFrom } from '../support/command.ts'
import { createRandom } from '../support/random.ts'

const END_MS = Date.UTC(2026, 10, 21, 12)
const ledger = createLedger(3_333, END_MS)

function addedUp({ count, timeMsOf, centsOf, processorOf }: Ledger, fromMs: number, toMs: number) {
  const totals = { default: { requests: 0, cents: 0 }, fallback: { requests: 0, cents: 0 } }
  for (let index = 0; index < count; index++) {
    if (timeMsOf(index) < fromMs || timeMsOf(index) > toMs) continue
    totals[processorOf(index)].requests += 1
    totals[processorOf(index)].cents += centsOf(index)
  }
  return totals
}

describe('the ledger', () => {
  it('sums as adding up does, whatever the range', () => {
    const { fraction } = createRandom(7, 'ranges')
    for (let round = 0; round < 200; round++) {
      const [one, other] = [fraction(), fraction()].map(share =>
        Math.floor(ledger.startMs - 1_000 + share * (END_MS - ledger.startMs + 2_000))
      ) as [number, number]
      const [fromMs, toMs] = [Math.min(one, other), Math.max(one, other)]
      assert.deepEqual(ledger.sum(fromMs, toMs), addedUp(ledger, fromMs, toMs))
    }
  })
  it('includes both ends', () => {
    for (const index of [0, 1_700, 3_332]) {
      const { [ledger.processorOf(index)]: own } = ledger.sum(ledger.timeMsOf(index), ledger.timeMsOf(index))
      assert.deepEqual(own, { requests: 1, cents: ledger.centsOf(index) })
    }
  })
  it('spreads the payments over 30 days and both processors', () => {
    assert.equal(ledger.timeMsOf(0), END_MS - DAYS * 86_400_000)
    assert(ledger.timeMsOf(3_332) < END_MS && ledger.timeMsOf(3_332) > END_MS - 86_400_000)
    const { default: byDefault, fallback } = ledger.sum(0, Infinity)
    assert.equal(byDefault.requests + fallback.requests, 3_333)
    assert(fallback.requests > 0 && fallback.requests < byDefault.requests)
  })
})

describe('the ranges', () => {
  const next = createRanges(ledger, createRandom(1, 'ranges').fraction)
  const ranges = Array.from({ length: 400 }, next)
  it('come by turns', () => {
    assert.deepEqual(
      ranges.slice(0, 4).map(({ name }) => name),
      [...RANGES]
    )
  })
  it('lie before the end of the history and begin at an odd millisecond, but for the one without bounds', () => {
    for (const { name, fromMs, toMs } of ranges) {
      if (name === 'all time') continue
      assert(toMs < END_MS && fromMs <= toMs && fromMs % 2 === 1, `${name} ${fromMs} ${toMs}`)
      if (name !== 'any') assert.equal(toMs - fromMs, name === '15 s' ? 15_000 : DAYS * 86_400_000)
    }
  })
  it('are asked for by ISO times', () => {
    assert.equal(pathOf({ name: 'all time', fromMs: 0, toMs: Infinity }), '/payments-summary')
    assert.equal(
      pathOf({ name: '15 s', fromMs: 1, toMs: 15_001 }),
      '/payments-summary?from=1970-01-01T00:00:00.001Z&to=1970-01-01T00:00:15.001Z'
    )
  })
})

describe('an answer', () => {
  const textOf = ({ fromMs, toMs }: Range, more = 0) => {
    const { default: byDefault, fallback } = ledger.sum(fromMs, toMs)
    const part = ({ requests, cents }: typeof byDefault) => ({ totalRequests: requests, totalAmount: cents / 100 })
    return JSON.stringify({
      default: part({ requests: byDefault.requests, cents: byDefault.cents + more }),
      fallback: part(fallback)
    })
  }
  const all: Range = { name: 'all time', fromMs: 0, toMs: Infinity }
  const some: Range = { name: 'any', fromMs: END_MS - 86_400_000, toMs: END_MS - 1 }
  it('is right to the cent', () => {
    assertRight(some, textOf(some), ledger)
    for (const more of [1, -1]) assert.throws(() => assertRight(some, textOf(some, more), ledger), BooksError)
  })
  it('may have what arrived meanwhile where the range has no bounds, but no less', () => {
    assertRight(all, textOf(all, 1), ledger)
    assert.throws(() => assertRight(all, textOf(all, -1), ledger), BooksError)
  })
})

it('figures are those of each range', () => {
  const answers = RANGES.map((name, index) => ({ range: { name, fromMs: 0, toMs: 1 }, latencyMs: index + 1 }))
  const { ranges, lateP99Ms } = summariesOf(answers, [0.5, 0.1])
  assert.deepEqual(ranges['15 s'], { asked: 1, p50Ms: 3, p99Ms: 3, maxMs: 3 })
  assert.equal(lateP99Ms, 0.5)
})

it('arguments have defaults, and are named when they are wrong', () => {
  assert.deepEqual(settingsFrom(SUMMARY, []), {
    paymentCount: 10_000_000,
    ratePerSecond: 500,
    seconds: 20,
    runCount: 3,
    wantsJson: false
  })
  for (const [name, value] of [
    ['--payments', '2999'],
    ['--rate', '199'],
    ['--seconds', '0'],
    ['--runs', 'x']
  ] as const) {
    assert.throws(() => settingsFrom(SUMMARY, [name, value]), new RegExp(`${name} .* not "${value}"`))
  }
})
