// Goal: the benchmark's figures say what they are called, its comparison tells a change from noise, and wrong arguments
// are named. Method: observations of which every figure is known by hand.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compareRuns, type Change } from '../bench/compare.ts'
import { parseRequests, type Sent } from '../bench/load.ts'
import { rateFigures, type Observation, type Snapshot } from '../bench/rate-figures.ts'
import { mapServices, medianRun, serialise, timesBare, type RateResult, type RunResult } from '../bench/result.ts'
import { BENCH } from '../bench/run.ts'
import { describeLimits } from '../bench/saturation.ts'
import { settingsFrom } from '../support/command.ts'
import { histogram, median, quantile } from '../support/statistics.ts'

describe('statistics', () => {
  it('a quantile is a value that occurred', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
    assert.deepEqual(
      [0, 0.5, 0.99, 0.999, 1].map(share => quantile(hundred, share)),
      [1, 50, 99, 100, 100]
    )
    assert.equal(quantile([7], 0.99), 7)
    assert.equal(quantile([], 0.5), NaN)
  })
  it('a median is in the middle, whatever the order', () => {
    assert.equal(median([3, 1, 2]), 2)
    assert.equal(median([4, 1, 3, 2]), 2.5)
  })
  it('a histogram keeps every value to 1 %', () => {
    const values = [0, 1, 90, 1_000, 1_000, 1_004, 123_456]
    const buckets = histogram(values)
    assert.equal(
      buckets.reduce((total, [, count]) => total + count, 0),
      values.length
    )
    const spreadOut = buckets.flatMap(([upper, count]) => Array.from({ length: count }, () => upper))
    spreadOut.forEach((upper, index) => {
      const value = Math.max(1, values[index] ?? NaN)
      assert(upper >= value * 0.999 - 0.5 && upper <= value * 1.0102 + 0.5, `${value} in ${upper}`)
    })
  })
})

it("the load tool's lines become times since 1970", () => {
  assert.deepEqual(parseRequests('start 1000000\n10 12 30 2 202\n20 20 50 0 -1\n'), [
    { dueMicros: 1_000_010, sentMicros: 1_000_012, answeredMicros: 1_000_030, lagMicros: 2, status: 202 },
    { dueMicros: 1_000_020, sentMicros: 1_000_020, answeredMicros: 1_000_050, lagMicros: 0, status: -1 }
  ])
})

const snapshot = (changed: Partial<Snapshot>): Snapshot => ({
  atMs: 0,
  wallMicros: 0,
  settled: 0,
  cpuMicros: mapServices(() => 0),
  throttledMicros: mapServices(() => 0),
  modelMicros: [0, 0],
  loadMicros: 0,
  machineMicros: 0,
  ...changed
})
const sent = (dueMicros: number, waitMicros: number, answerMicros: number, status = 202): Sent => ({
  dueMicros,
  sentMicros: dueMicros + waitMicros,
  answeredMicros: dueMicros + waitMicros + answerMicros,
  lagMicros: 0,
  status
})

/** Two seconds in which 4 payments were settled. */
const observation: Observation = {
  rate: 2,
  begin: snapshot({ atMs: 500, wallMicros: 10_000_000, settled: 10 }),
  end: snapshot({
    atMs: 2_500,
    wallMicros: 12_000_000,
    settled: 14,
    cpuMicros: mapServices(() => 400),
    throttledMicros: mapServices(() => 20_000),
    modelMicros: [100_000, 300_000],
    loadMicros: 200_000,
    machineMicros: 1_000_000
  }),
  requests: [
    sent(9_999_999, 0, 5),
    sent(10_000_000, 3_000, 1_000),
    sent(11_000_000, 0, 500),
    sent(11_999_999, 1_000_000, 500, 503)
  ],
  accepted: 2,
  failed: 0,
  settleMs: [9, 3],
  memoryBytes: mapServices(() => 2 ** 21),
  failedCount: 1,
  settledCount: 5,
  cpuMicros: mapServices(() => 500),
  seconds: []
}

describe('the figures of a rate', () => {
  const figures = rateFigures(observation)
  it('count latency from when a request was due, also of those that were sent late', () =>
    assert.deepEqual([figures.acceptP50Ms, figures.acceptP99Ms], [4, 1_000.5]))
  it('count a request when it was sent, an acceptance when it was answered, each in its time', () =>
    assert.deepEqual([figures.offeredPerSecond, figures.acceptedPerSecond, figures.settledPerSecond], [2, 2.5, 2]))
  it('divide all CPU until everything was settled by what was settled', () =>
    assert.deepEqual([figures.cpuMicrosByService.redis, figures.cpuMicrosPerPayment], [100, 500]))
  it('tell what the cores did', () => {
    const rounded = Object.fromEntries(
      Object.entries(figures.cores).map(([name, cores]) => [name, Number(cores.toFixed(6))])
    )
    assert.deepEqual(rounded, { services: 0.001, models: 0.2, busiestModel: 0.15, load: 0.1, other: 0.199 })
    assert.equal(figures.throttledByService.worker, 0.01)
  })
  it('fit into a line of JSON', () => {
    const parsed = JSON.parse(serialise(run(1))) as RunResult
    assert.deepEqual(Object.keys(parsed.rates[0] ?? {}), Object.keys(rateFigures(observation)))
    assert(!serialise(run(1)).includes('\n'))
  })
})

/** 250 µs at the rate of the observation. */
const barePipeline = [{ rate: 2, microsByService: mapServices(() => 50) }]

it('our cost is compared with that of a bare pipeline at the same rate', () => {
  const compared = run(500)
  assert.deepEqual(
    compared.rates.map(rate => timesBare(rate, compared)),
    [2]
  )
  assert.equal(timesBare({ ...rateFigures(observation), rate: 3 }, compared), NaN)
})

function run(cpuMicrosPerPayment: number, changed: Partial<RateResult> = {}): RunResult {
  const rates = [{ ...rateFigures(observation), cpuMicrosPerPayment, ...changed }]
  return { at: '', commit: 'abc', machine: '', mode: 'local', platform: '', seconds: 2, barePipeline, rates }
}

it('the median of runs is taken figure by figure', () => {
  const middle = medianRun([
    run(3, { settledPerSecond: 10 }),
    run(1, { settledPerSecond: 30 }),
    run(2, { settledPerSecond: 20 })
  ])
  assert.deepEqual(
    [middle.rates[0]?.cpuMicrosPerPayment, middle.rates[0]?.settledPerSecond, middle.commit],
    [2, 20, 'abc']
  )
})

describe('comparing runs', () => {
  const cpu = (before: number[], after: number[]): Change['verdict'] | undefined =>
    compareRuns(
      before.map(value => run(value)),
      after.map(value => run(value))
    ).find(({ figure }) => figure === 'µs a payment')?.verdict
  const settled = (before: number, after: number) =>
    compareRuns([run(1, { settledPerSecond: before })], [run(1, { settledPerSecond: after })]).find(
      ({ figure }) => figure === 'settled/s'
    )?.verdict

  it('finds what is worse and better when no two runs overlap', () => {
    assert.equal(cpu([100, 101, 102], [110, 111, 112]), 'WORSE')
    assert.equal(cpu([110, 111, 112], [100, 101, 102]), 'better')
  })
  it('takes runs that overlap for noise, however far apart their medians are', () =>
    assert.equal(cpu([100, 100, 140], [130, 135, 140]), 'same'))
  it('takes small changes for noise, however sure they are', () =>
    assert.equal(cpu([100, 100, 100], [104, 104, 104]), 'same'))
  it('wants three times the change where there are fewer than three runs', () => {
    assert.equal(cpu([100, 100, 100], [110, 110]), 'same')
    assert.equal(cpu([100], [116]), 'WORSE')
  })
  it('knows that more settled is better', () =>
    assert.deepEqual([settled(100, 80), settled(80, 100), settled(100, 101)], ['WORSE', 'better', 'same']))
  it('says how the medians compare, and the least and most that two runs can say', () => {
    const [change] = compareRuns(
      [run(1, { settledPerSecond: 100 }), run(1, { settledPerSecond: 110 })],
      [run(1, { settledPerSecond: 210 })]
    )
    assert.deepEqual([change?.before, change?.after, change?.ratio], [105, 210, 2])
    assert.deepEqual([change?.ratioMin.toFixed(3), change?.ratioMax.toFixed(3)], ['1.909', '2.100'])
  })
  it('says nothing about rates that only one side has, or figures that were not measured', () => {
    assert.deepEqual(compareRuns([run(1, { rate: 7 })], [run(1)]), [])
    const unknown = compareRuns([run(NaN)], [run(1)]).find(({ figure }) => figure === 'µs a payment')
    assert.equal(unknown?.verdict, 'same')
  })
})

describe('what was the limit', () => {
  const quiet: RateResult = {
    ...rateFigures(observation),
    rate: 100,
    offeredPerSecond: 100,
    acceptedPerSecond: 100,
    settledPerSecond: 100,
    loadLagP99Ms: 0.1,
    cores: { services: 0.5, models: 0.1, busiestModel: 0.1, load: 0.1, other: 0.05 },
    throttledByService: mapServices(() => 0)
  }
  const limits = (changed: Partial<RateResult>) => describeLimits({ ...quiet, ...changed }, 2).join(' ')
  it('is nothing to tell of on a quiet machine', () => assert.equal(limits({}), ''))
  it('is the pipeline when its answers kept the load waiting', () => {
    assert.match(
      limits({ offeredPerSecond: 80 }),
      /^OFFERED LESS THAN ASKED: 80\/s, since all its connections waited for answers\.$/
    )
  })
  it('is the load tool when it was late by itself', () => {
    assert.match(
      limits({ offeredPerSecond: 80, loadLagP99Ms: 30 }),
      /the load tool was late by itself \(p99 30\.0 ms\)/
    )
  })
  it('is the machine, a model, somebody else or a CPU limit', () => {
    assert.match(limits({ cores: { ...quiet.cores, services: 1.7 } }), /The machine was full/)
    assert.match(
      limits({ cores: { ...quiet.cores, models: 1, busiestModel: 0.97 } }),
      /A processor model had a whole core/
    )
    assert.match(limits({ cores: { ...quiet.cores, other: 0.5 } }), /NOT A QUIET MACHINE/)
    assert.match(
      limits({ throttledByService: mapServices(name => (name === 'redis' ? 0.2 : 0)) }),
      /of the time: redis 20 %/
    )
  })
  it('is settling when the queue grew', () => assert.match(limits({ settledPerSecond: 90 }), /The queue grew/))
})

describe('arguments', () => {
  it('have defaults', () => {
    assert.deepEqual(settingsFrom(BENCH, []), {
      rates: [500, 2_000, 5_000, 10_000, 20_000],
      seconds: 20,
      runCount: 1,
      isCompose: false,
      wantsJson: false,
      comparePath: undefined,
      afterPath: undefined
    })
  })
  it('can all be given', () => {
    const settings = settingsFrom(BENCH, [
      '--rates',
      '300,400',
      '--seconds',
      '5',
      '--runs',
      '3',
      '--compose',
      '--json',
      '--compare',
      '/tmp/before.jsonl',
      '--after',
      '/tmp/after.jsonl'
    ])
    assert.deepEqual(settings, {
      rates: [300, 400],
      seconds: 5,
      runCount: 3,
      isCompose: true,
      wantsJson: true,
      comparePath: '/tmp/before.jsonl',
      afterPath: '/tmp/after.jsonl'
    })
  })
  it('are named when they are wrong', () => {
    const wrong: [string[], RegExp][] = [
      [['--rates', '500,x'], /--rates .* not "x"/],
      [['--rates', '100'], /--rates .* not "100"/],
      [['--rates', ''], /--rates/],
      [['--rates', '500,500'], /twice/],
      [['--seconds', '0'], /--seconds/],
      [['--runs', '1.5'], /--runs/],
      [['--after', 'x.jsonl'], /--after wants --compare/],
      [['--fast'], /--fast/]
    ]
    for (const [words, message] of wrong) assert.throws(() => settingsFrom(BENCH, words), message)
    assert.equal(settingsFrom(BENCH, ['--help']), undefined)
  })
})
