// Goal: the figures of bench:backlog say what they are called, and wrong arguments are named.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { BACKLOG } from '../bench/backlog/run.ts'
import { acceptingBetween } from '../bench/rate-figures.ts'
import { parseInfo } from '../bench/redis-figures.ts'
import { settingsFrom } from '../support/command.ts'
import { medianAndRange } from '../support/statistics.ts'

it('accepting counts what was due in the time, from when it was due', () => {
  const sent = (dueMicros: number, answeredMicros: number, status = 202) => ({
    dueMicros,
    sentMicros: dueMicros,
    answeredMicros,
    lagMicros: 7,
    status
  })
  const requests = [sent(999, 50_999), sent(1_000, 2_000), sent(1_500, 5_500, 503), sent(2_000, 90_000)]
  assert.deepEqual(acceptingBetween({ wallMicros: 1_000 }, { wallMicros: 2_000 }, requests), {
    requests: 2,
    failed: 1,
    p50Ms: 1,
    p99Ms: 4,
    maxMs: 4,
    loadLagP99Ms: 0.007
  })
})

it('what Redis says of its memory and its log', () => {
  const text =
    'used_memory:123\r\nused_memory_human:1M\r\naof_rewrite_in_progress:0\r\naof_rewrite_scheduled:1\r\naof_rewrites:4\r\ncurrent_cow_size:9\r\naof_current_size:77\r\n'
  assert.deepEqual(parseInfo(text), {
    usedBytes: 123,
    isRewriting: true,
    rewriteCount: 4,
    copiedBytes: 9,
    logBytes: 77
  })
})

it('a figure of several rounds is their median, least and most', () => {
  assert.equal(medianAndRange([3, 1, 2], 1), '2.0 (1.0 to 3.0)')
  assert.equal(medianAndRange([3], 0), '3')
})

it('arguments have defaults, can be given, and are named when they are wrong', () => {
  assert.deepEqual(settingsFrom(BACKLOG, []), {
    paymentCount: 100_000,
    ratePerSecond: 500,
    seconds: 15,
    runCount: 3,
    restartsRedis: false,
    wantsJson: false
  })
  assert.deepEqual(
    settingsFrom(BACKLOG, [
      '--payments',
      '1000000',
      '--rate',
      '200',
      '--seconds',
      '1',
      '--runs',
      '1',
      '--restart',
      '--json'
    ]),
    {
      paymentCount: 1_000_000,
      ratePerSecond: 200,
      seconds: 1,
      runCount: 1,
      restartsRedis: true,
      wantsJson: true
    }
  )
  for (const [name, value] of [
    ['--payments', '999'],
    ['--rate', '199'],
    ['--seconds', '0'],
    ['--runs', 'x']
  ] as const) {
    assert.throws(() => settingsFrom(BACKLOG, [name, value]), new RegExp(`${name} .* not "${value}"`))
  }
  assert.equal(settingsFrom(BACKLOG, ['--help']), undefined)
})
