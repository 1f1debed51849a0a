// Goal: the search finds the highest rate that goes well, the part that is full first is found, and sizes are what they
// are made of.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mapServices, type RateResult } from '../bench/result.ts'
import { isSustained } from '../bench/saturation.ts'
import { needOf, nextRate, saturatesFirst, wholeCoreRate, type Trial } from '../bench/scaling/conclusions.ts'
import { plotScaling } from '../bench/scaling/plot.ts'
import { SCALING } from '../bench/scaling/run.ts'
import { settingsFrom } from '../support/command.ts'

describe('the search', () => {
  const search = (capacity: number, rateMax = 50_000) => {
    const trials: Trial[] = []
    for (let rate = nextRate(trials, rateMax); rate !== undefined; rate = nextRate(trials, rateMax)) {
      assert(trials.length < 20, 'it goes on for ever')
      trials.push({ rate, isSustained: rate <= capacity })
    }
    return { trials, found: Math.max(0, ...trials.filter(trial => trial.isSustained).map(({ rate }) => rate)) }
  }
  it('ends within 10 % below what goes well', () => {
    for (const capacity of [200, 730, 2_000, 5_432, 11_000, 49_999]) {
      const { found } = search(capacity)
      assert(found <= capacity && found >= (capacity - 50) / 1.1 - 1, `${found} of ${capacity}`)
    }
  })
  it('takes few trials', () => assert(search(11_000).trials.length <= 8))
  it('tries no rate above the highest or below the lowest', () => {
    assert.equal(search(1e9, 300).found, 300)
    assert.equal(search(1e9, 6_000).found, 6_000)
    assert.deepEqual(search(0).trials.at(-1), { rate: 200, isSustained: false })
  })
})

it('a rate goes well when all of it was sent and as much was settled as accepted', () => {
  const rate = (changed: object) =>
    isSustained({
      rate: 100,
      offeredPerSecond: 100,
      acceptedPerSecond: 100,
      settledPerSecond: 100,
      ...changed
    } as RateResult)
  assert.deepEqual([rate({}), rate({ offeredPerSecond: 90 }), rate({ settledPerSecond: 90 })], [true, false, false])
})

describe('the part that has a whole core first', () => {
  const setup = {
    microsByProcess: { haproxy: 10, 'gateway-1': 8, 'gateway-2': 12.5, redis: 20, 'worker-1': 25, 'worker-2': 5 }
  }
  it('is that of the busiest of its processes', () => {
    assert.equal(wholeCoreRate(setup, 'gateway'), 80_000)
    assert.equal(wholeCoreRate(setup, 'worker'), 40_000)
    assert.equal(saturatesFirst(setup), 'worker')
  })
})

const figures = {
  cpuMicrosByService: mapServices(() => 20),
  memoryMegabytesByService: mapServices(() => 40),
  cores: {},
  settledPerSecond: 5_000
} as unknown as RateResult

it('a size is cores by what a payment costs, processes that are not full, and memory', () => {
  const need = needOf(
    { rate: 100_000, measuredAt: 5_000, figures, totalsBytesPerSecond: 2 ** 20 },
    { workers: 1, gateways: 2 }
  )
  assert.deepEqual([need.paymentsPerDay, need.cores, need.gateways, need.workers], [8_640_000_000, 10, 3, 3])
  // HAProxy, Redis, monitor: 40 each; gateways 20 each, workers 40 each.
  assert.deepEqual([need.megabytes, need.totalsMegabytesPerDay], [120 + 60 + 120, 86_400])
  const few = needOf({ rate: 10, measuredAt: 10, figures, totalsBytesPerSecond: 0 }, { workers: 1, gateways: 2 })
  assert.deepEqual([few.gateways, few.workers], [2, 1])
  assert(few.idMegabytes * 10_000 < need.idMegabytes, 'ids are packed where there are few')
})

it('a plot of the same figures is the same file', () => {
  const setups = [
    {
      workers: 1,
      gateways: 2,
      highest: figures,
      microsByProcess: { haproxy: 1, 'gateway-1': 2, redis: 3, 'worker-1': 4 },
      limits: []
    }
  ]
  const svg = plotScaling('a title', setups)
  assert.match(svg, /^<svg .*a title/s)
  assert.match(svg, /1 × worker/)
  assert.equal(plotScaling('a title', setups), svg)
})

it('arguments have defaults, and are named when they are wrong', () => {
  assert.deepEqual(settingsFrom(SCALING, []), {
    workerCounts: [1, 2, 4],
    gatewayCounts: [2, 4],
    rateMax: 50_000,
    seconds: 5,
    plotPath: undefined,
    wantsJson: false
  })
  for (const [name, value] of [
    ['--workers', '0'],
    ['--gateways', '5'],
    ['--rate-max', '100'],
    ['--seconds', 'x']
  ] as const) {
    assert.throws(() => settingsFrom(SCALING, [name, value]), new RegExp(`${name} .* not "${value}"`))
  }
})
