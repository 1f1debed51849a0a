// Goal: the simulation's parts do what the contract says, its oracle is never below what is possible, and it tells the
// same each time.
// Method: tiny cases that can be counted by hand, or tried out in every way.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Schedule } from '../support/contest/schedule.ts'
import { arrivalTimes, endMsOf } from '../simulation/arrivals.ts'
import { compare, parseRealRun } from '../simulation/compare.ts'
import { EventQueue } from '../simulation/event-queue.ts'
import { idealOf } from '../simulation/oracle.ts'
import { POLICIES } from '../simulation/policies.ts'
import { SimulatedProcessor, type Batch } from '../simulation/processor.ts'
import { countOf, WaitingQueue } from '../simulation/queue.ts'
import { DEFAULTS } from '../simulation/report.ts'
import { randomSchedule } from '../simulation/schedules.ts'
import { simulate, type SimulationOptions } from '../simulation/simulate.ts'
import { bestProfit } from '../simulation/brute-force.ts'
import { required } from '../support/payments.ts'

const WELL = { delayMs: 0, failing: false }
const schedule = (changed: Partial<Schedule>): Schedule => ({
  durationMs: 10_000,
  users: { from: 10, to: 10 },
  amountCents: 100,
  checkEveryMs: 10_000,
  checkLagMs: 1_500,
  stages: [],
  ...changed
})
const ours: SimulationOptions = { policy: required(POLICIES['this policy']), parameters: DEFAULTS }

describe('the oracle', () => {
  it('is never below the best of all ways to pay, and little above it', () => {
    const behaviour = fc.record({ delayMs: fc.integer({ min: 0, max: 6 }), failing: fc.boolean() })
    const tiny = fc.record({
      stages: fc.array(fc.record({ default: behaviour, fallback: behaviour }), { minLength: 1, maxLength: 3 }),
      arrivals: fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 4 })
    })
    // A run of 12 ms with one place at each processor; the schedule's own end is a second earlier.
    const tinySchedule = (stages: { default: typeof WELL; fallback: typeof WELL }[]) => ({
      ...schedule({ durationMs: 12 - endMsOf(schedule({ durationMs: 0 })) }),
      stages: stages.map((stage, index) => ({ atMs: index * 4, ...stage }))
    })
    let [idealSum, bestSum] = [0, 0]
    fc.assert(
      fc.property(tiny, ({ stages, arrivals }) => {
        // Half a millisecond after the whole one, so that "before" and "after" are clear.
        const sorted = Float64Array.from(
          arrivals.sort((a, b) => a - b),
          ms => ms - 0.5
        )
        const given = tinySchedule(stages)
        const [ideal, best] = [idealOf(given, sorted, 1).profit, bestProfit(given, sorted)]
        assert(ideal >= best - 1e-9, `${ideal} < ${best}`)
        idealSum += ideal
        bestSum += best
      }),
      { numRuns: 500, seed: 1 }
    )
    // With one place rounding counts for much, with 800 for little.
    assert(idealSum < 1.15 * bestSum, `${idealSum} against ${bestSum}`)
  })

  it('knows the most that a slow default takes, and what fallback adds to it', () => {
    // 800 places at 1 s each, over 11.002 s, are 11 rounds.
    const slow = schedule({
      users: { from: 2_000, to: 2_000 },
      stages: [{ atMs: 0, default: { delayMs: 1_000, failing: false }, fallback: { delayMs: 5_000, failing: false } }]
    })
    const { byDefault, byBoth } = idealOf(slow, arrivalTimes(slow))
    assert.deepEqual([byDefault, byBoth], [11 * 800, 11 * 800 + 2 * 800])
  })
})

describe('the model', () => {
  it('has users that post, rest for a second, and come and go with the ramp', () => {
    const steady = arrivalTimes(schedule({}))
    assert.equal(steady.length, 100)
    assert.deepEqual([steady[0], steady[10], steady[99]], [0, 1_002, 9_018])
    for (const users of [
      { from: 1, to: 550 },
      { from: 550, to: 1 }
    ]) {
      const times = arrivalTimes(schedule({ durationMs: 60_000, users }))
      // 275.5 users on average, a payment each 1.002 s; whoever comes posts at once, half a period early on average.
      assert(Math.abs(times.length - (275.5 * 60) / 1.002 - 275) < 50, String(times.length))
      assert(times.every((ms, index) => ms >= (times[index - 1] ?? 0)))
    }
  })

  it('has processors that run 800, queue 500, turn away the rest, and fail by the flag at the end', () => {
    const started: Batch[] = []
    const answers: [number, boolean][] = []
    const processor = new SimulatedProcessor(
      batch => started.push(batch),
      ({ ranges }, isBooked) => answers.push([countOf(ranges), isBooked])
    )
    processor.receive({
      workerIndex: 0,
      sentAtMs: 0,
      ranges: [
        { from: 0, to: 1_000 },
        { from: 2_000, to: 3_000 }
      ]
    })
    assert.deepEqual(answers, [[700, false]])
    assert.equal(processor.runningCount, 800)
    processor.behaviour = { delayMs: 0, failing: true }
    processor.finish(required(started[0]))
    assert.deepEqual([answers.at(-1), processor.runningCount, processor.bookedCount], [[800, false], 500, 0])
    processor.behaviour = WELL
    for (const batch of started.slice(1)) processor.finish(batch)
    assert.deepEqual([processor.runningCount, processor.bookedCount], [0, 500])
  })

  it('has a queue that gives refused payments first, oldest first, as far as a restriction lets it', () => {
    const queue = new WaitingQueue(Float64Array.from({ length: 10 }, (_, index) => index * 100))
    queue.advance(600)
    assert.deepEqual(queue.take(2), [{ from: 0, to: 2 }])
    assert.deepEqual(queue.take(10, { minAgeMs: 250 }), [{ from: 2, to: 4 }])
    queue.release([{ from: 3, to: 4 }])
    queue.release([{ from: 0, to: 2 }])
    assert.deepEqual([queue.count, queue.oldest], [6, 0])
    assert.deepEqual(queue.take(10, { leaveCount: 2 }), [
      { from: 0, to: 2 },
      { from: 3, to: 4 },
      { from: 4, to: 5 }
    ])
    assert.deepEqual(queue.take(10), [{ from: 5, to: 7 }])
  })

  it('has events in order of time, then of their making', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 })), times => {
        const events = new EventQueue<number>()
        times.forEach((ms, index) => events.add(ms, index))
        const seen = times.map(() => required(events.next()))
        const sorted = times
          .map((atMs, event) => ({ atMs, event }))
          .sort((a, b) => a.atMs - b.atMs || a.event - b.event)
        assert.deepEqual(
          seen.map(({ atMs, event }) => ({ atMs, event })),
          sorted
        )
        assert.equal(events.next(), undefined)
      })
    )
  })
})

describe('a simulated run', () => {
  it('is the same each time, and books no more than was asked nor earns more than the ideal', () => {
    for (const [index, policy] of Object.values(POLICIES).entries()) {
      const given = randomSchedule(7, index, 'plausible')
      const result = simulate(given, { policy, parameters: DEFAULTS })
      assert.deepEqual(simulate(given, { policy, parameters: DEFAULTS }), result)
      assert(result.leftOver >= 0 && result.profit <= result.idealProfit + 1e-6)
    }
  })

  it('sends everything to a default that has room, however slow and whatever health data say', () => {
    // 150 users and 5 s are 750 in flight.
    const slow = schedule({
      durationMs: 60_000,
      users: { from: 150, to: 150 },
      stages: [{ atMs: 0, default: { delayMs: 5_000, failing: false }, fallback: WELL }]
    })
    const polls: Record<string, SimulationOptions['poll']> = {
      'the truth': truth => truth,
      nothing: () => undefined,
      lies: truth => ({ ...truth, failing: !truth.failing }),
      'lies at times': (truth, _name, nowMs) => ({ ...truth, failing: Math.round(nowMs / 5_100) % 2 === 0 })
    }
    for (const [what, poll] of Object.entries(polls)) {
      if (poll === undefined) continue
      const { bookedFallback, leftOver } = simulate(slow, { ...ours, poll })
      assert.equal(bookedFallback, 0, what)
      assert(leftOver <= 1_000, `${what}: ${leftOver} left over`)
    }
  })

  it('sends only the surplus to fallback when more comes than default takes', () => {
    const tooMuch = schedule({
      durationMs: 60_000,
      users: { from: 600, to: 600 },
      stages: [{ atMs: 0, default: { delayMs: 2_000, failing: false }, fallback: WELL }]
    })
    const { bookedDefault, leftOver } = simulate(tooMuch, ours)
    // 400 a second for 61 s.
    assert(bookedDefault > 0.97 * 400 * 59, String(bookedDefault))
    // At the end 800 are at default, and so many wait as it takes within the time that payments may wait for it.
    assert(leftOver < 800 + (400 * DEFAULTS.surplusWaitMs) / 1_000, String(leftOver))
  })

  it('waits for default when both come back at once and fallback is quicker', () => {
    const both = (failing: boolean, delayMs: number) => ({
      default: { delayMs, failing },
      fallback: { delayMs: 20, failing }
    })
    for (const delayMs of [20, 1_000, 2_000, 5_000]) {
      const { bookedFallback, asked } = simulate(
        schedule({
          durationMs: 120_000,
          users: { from: 50, to: 50 },
          stages: [
            { atMs: 20_000, ...both(true, delayMs) },
            { atMs: 45_000, ...both(false, delayMs) }
          ]
        }),
        { ...ours, parameters: { ...DEFAULTS, surplusWaitMs: 60_000 } }
      )
      // Some probes.
      assert(bookedFallback <= 30, `${bookedFallback} of ${asked} at fallback with ${delayMs} ms`)
    }
  })

  it('costs hardly anything when default flaps', () => {
    const stages = Array.from({ length: 61 }, (_, index) => ({
      atMs: index * 1_000,
      default: { delayMs: 10, failing: index % 2 === 1 },
      fallback: WELL
    }))
    const { profit, idealProfit, bookedFallback } = simulate(
      schedule({ durationMs: 60_000, users: { from: 100, to: 100 }, stages }),
      ours
    )
    assert.equal(bookedFallback, 0)
    assert(profit > 0.99 * idealProfit)
  })

  it('goes as well with several workers', () => {
    for (const index of [0, 1, 2, 3]) {
      const given = randomSchedule(7, index, 'plausible')
      const share = (workerCount: number) => {
        const { profit, idealProfit } = simulate(given, {
          ...ours,
          workerCount,
          parameters: { ...DEFAULTS, inFlightMax: 800 / workerCount }
        })
        return profit / idealProfit
      }
      assert(Math.abs(share(4) - share(1)) < 0.01, `schedule ${index}: ${share(4)} with four, ${share(1)} with one`)
    }
  })

  it('leaves no payment waiting beside an idle processor for longer than the hold time', () => {
    const { fallbackAfterMs, breakerOpenMs } = DEFAULTS
    // Until the next probe finds out that a processor is back, and the worker's tick.
    const mostMs = fallbackAfterMs + breakerOpenMs + 50
    for (let index = 0; index < 20; index++) {
      const { waitedBesideIdleMs } = simulate(randomSchedule(7, index, 'plausible'), ours)
      assert(waitedBesideIdleMs <= mostMs, `schedule ${index}: ${waitedBesideIdleMs} ms`)
    }
  })
})

describe('the comparison with a real run', () => {
  const simulated = {
    profit: 0,
    idealProfit: 0,
    asked: 1_000,
    bookedDefault: 900,
    bookedFallback: 100,
    leftOver: 0,
    settleMsP50: 0,
    settleMsP99: 0,
    waitedBesideIdleMs: 0
  }

  it('shows how much of all payments went elsewhere', () => {
    const { differences, table } = compare(simulated, { asked: 1_000, settledDefault: 879, settledFallback: 121 })
    assert.deepEqual(differences, [0, 0.021, 0.021])
    assert.match(table, /default +900 +879 +2\.10 %/)
  })

  it('names what a result lacks', () =>
    assert.throws(() => parseRealRun({ asked: 1, settledDefault: 1 }), /no settledFallback/))
})
