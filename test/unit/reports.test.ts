// Goal: a report tells what happened of late, not since the start, and what it says of breakers and CPU quotas is what
// people mean by it.
// Method: tallies and breakers in the hands of the test, with times of its own.
import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { createGatewayReport } from '../../gateway/watching/report.ts'
import { createTally as createGatewayTally } from '../../gateway/tally.ts'
import { createTally as createMonitorTally, monitorReport, notePoll } from '../../health-monitor/tally.ts'
import { breakerState, CLOSED, step, type BreakerEvent, type BreakerLimits } from '../../processor-worker/breaker.ts'
import { createWorkerReport } from '../../processor-worker/watching/report.ts'
import { createTally as createWorkerTally } from '../../processor-worker/tally.ts'
import { cpuStatPaths, parseCpuStat } from '../../shared/watching/cgroup.ts'
import { countOf, fromSparse, addSample } from '../../shared/watching/histogram.ts'
import { perSecond, Recent } from '../../shared/watching/recent.ts'
import { parseReport, renderReport } from '../../shared/watching/report.ts'

const PROCESS = { eventLoopLagMs: 0, residentBytes: 1, throttledShare: null }
const IDENTITY = { label: 'one', startedAtMs: 1 }
const LIMITS: BreakerLimits = { failuresMax: 3, openMs: 250, ownWordMs: 10_000 }

test('recent keeps what is recent, and finds the sample that is about so old', () => {
  const recent = new Recent<number>(10_500)
  assert.equal(recent.span(1_000), undefined)
  for (let second = 0; second <= 30; second++) recent.add(second * 10, second * 1_000)
  const [shorter, longer] = [recent.span(1_500), recent.span(10_500)]
  assert.deepEqual([shorter?.earlier.value, shorter?.later.value, shorter?.seconds], [290, 300, 1])
  assert.deepEqual([longer?.earlier.value, longer?.seconds], [200, 10])
  assert.equal(recent.span(60_000)?.earlier.value, 200, 'older ones are gone')
  assert.equal(perSecond(5, 0), 0)
})

test('a gateway tells the last second and the last ten', () => {
  const tally = createGatewayTally()
  const report = createGatewayReport(IDENTITY, tally)
  for (let second = 0; second <= 20; second++) {
    tally.answers.accepted += second === 20 ? 100 : 10
    addSample(tally.latency, 2, 10)
    report(PROCESS, second * 1_000)
  }
  tally.answers.accepted += 7
  const { acceptedPerSecond, recent } = report(PROCESS, 21_000)
  assert.equal(acceptedPerSecond, 7)
  assert.equal(recent.answers.accepted, 10 * 8 + 100 + 7)
  assert.equal(countOf(fromSparse(recent.latency)), 90)
})

test('a gateway that refuses says so only as long as somebody is refused', () => {
  const tally = createGatewayTally()
  const report = createGatewayReport(IDENTITY, tally)
  assert.equal(report(PROCESS, 0).refusing, null)
  tally.refusing = { reason: 'The queue is full.', sinceMs: 500 }
  tally.answers.refused += 1
  assert.deepEqual(report(PROCESS, 1_000).refusing, tally.refusing)
  for (let second = 2; second < 15; second++) report(PROCESS, second * 1_000)
  assert.equal(report(PROCESS, 15_000).refusing, null)
})

test('a worker tells of each processor what it has there and what of late came of it', () => {
  const tally = createWorkerTally()
  const report = createWorkerReport(IDENTITY, tally, LIMITS)
  const view = { default: { breaker: CLOSED, inFlightCount: 3 }, fallback: { breaker: CLOSED, inFlightCount: 0 } }
  report(PROCESS, view, [], 0)
  tally.default.answers.booked += 4
  tally.default.answers['not-booked'] += 1
  tally.default.settled += 4
  addSample(tally.default.latency, 30, 5)
  const { processors } = report(PROCESS, view, [], 1_000)
  const { recent, ...lane } = processors.default
  assert.deepEqual(lane, { breaker: { state: 'CLOSED', sinceMs: null }, inFlight: 3, settledPerSecond: 4 })
  assert.deepEqual(recent.answers, { booked: 4, 'already-booked': 0, 'not-booked': 1, rejected: 0, unknown: 0 })
  assert.equal(countOf(fromSparse(recent.latency)), 5)
  assert.equal(processors.fallback.settledPerSecond, 0)
})

test('a monitor tells its last polls, and counts all of them', () => {
  const tally = createMonitorTally()
  const health = { failing: false, minResponseTimeMs: 0, checkedAtMs: 1 }
  notePoll(tally, 'default', { kind: 'health', health }, 1)
  notePoll(tally, 'default', { kind: 'too-early' }, 2)
  notePoll(tally, 'fallback', { kind: 'trouble', health: { ...health, failing: true }, reason: 'status 502' }, 3)
  assert.deepEqual(monitorReport(IDENTITY, tally, PROCESS).polls, {
    default: { result: 'too-early', atMs: 2 },
    fallback: { result: 'trouble', atMs: 3, reason: 'status 502' }
  })
  assert.deepEqual(tally.polls.default, { well: 1, failing: 0, trouble: 0, 'too-early': 1 })
  assert.equal(tally.polls.fallback.trouble, 1)
})

describe('the state of a breaker, in words', () => {
  const opened: [BreakerEvent, number] = [{ kind: 'failure', count: 3, sentAtMs: 990 }, 1_000]
  const probed: [BreakerEvent, number] = [{ kind: 'probe-sent' }, 1_300]
  const refused: [BreakerEvent, number] = [{ kind: 'failure', count: 1, sentAtMs: 1_300 }, 1_310]
  const cases: [name: string, events: [BreakerEvent, number][], nowMs: number][] = [
    ['CLOSED', [], 1],
    ['OPEN until a probe is due', [opened], 1_249],
    ['HALF_OPEN once the next payment is a probe', [opened], 1_250],
    ['HALF_OPEN while a probe is under way', [opened, probed], 1_310],
    ['OPEN again when the probe was refused', [opened, probed, refused], 1_320],
    ['CLOSED after a success', [opened, [{ kind: 'success' }, 1_400]], 1_400]
  ]
  for (const [name, events, nowMs] of cases) {
    it(name, () => {
      const breaker = events.reduce((before, [event, atMs]) => step(before, event, atMs, LIMITS), CLOSED)
      assert.equal(breakerState(breaker, nowMs, LIMITS), name.split(' ')[0])
    })
  }
})

describe('a CPU quota', () => {
  it('is read from cgroup v2 and v1', () => {
    const used = 'usage_usec 100\nuser_usec 60\nsystem_usec 40\n'
    for (const text of [
      `${used}nr_periods 200\nnr_throttled 50\nthrottled_usec 1500000\n`,
      'nr_periods 200\nnr_throttled 50\nthrottled_time 1500000000\n'
    ])
      assert.deepEqual(parseCpuStat(text), { periods: 200, throttledPeriods: 50, throttledSeconds: 1.5 })
    for (const text of ['', used, 'nr_periods 0\nnr_throttled 0\nthrottled_time 0\n'])
      assert.equal(parseCpuStat(text), undefined)
  })

  it('is looked for where both versions have it, in a container as well', () => {
    const paths = (text: string) => cpuStatPaths(text).map(path => path.replace('/sys/fs/cgroup/', ''))
    assert.deepEqual(paths('0::/\n'), ['cpu.stat', 'cpu.stat'])
    assert.deepEqual(paths('12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n'), [
      'cpu,cpuacct/docker/abc/cpu.stat',
      'cpu,cpuacct/cpu.stat'
    ])
  })
})

test('a report survives its way through Redis, and nothing else is taken for one', () => {
  const report = monitorReport(IDENTITY, createMonitorTally(), PROCESS)
  assert.deepEqual(parseReport(renderReport(report)), { version: 1, ...report })
  for (const text of ['', '{}', 'null', '[1]', '{"version":99}']) assert.equal(parseReport(text), undefined)
})
