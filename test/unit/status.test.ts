// Goal: the status adds up what all processes report, and each fault becomes a sentence that a person can act on;
// without a fault there is no sentence.
// Method: one healthy system, and one change to it for each case.
import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { feeOf, moneyFigures } from '../../gateway/watching/status/money.ts'
import { problemsOf, redisLostProblems } from '../../gateway/watching/status/problems.ts'
import { renderStatus } from '../../gateway/watching/status/render.ts'
import { clock, counted, duration, listed, megabytes } from '../../gateway/watching/status/format.ts'
import type { ProcessorName } from '../../shared/payment.ts'
import type { AuditResult } from '../../shared/watching/audit-result.ts'
import type { Observation } from '../../shared/watching/observe.ts'
import type { LaneReport, Received, TroubleReport } from '../../shared/watching/report.ts'
import {
  FEES,
  figures,
  gateway,
  HEALTHY,
  lane,
  latencyOf,
  MONITOR,
  NOW_MS,
  received,
  WELL,
  withBreaker,
  withReport,
  worker
} from '../support/healthy-system.ts'

type Difference = [payments: bigint, cents: bigint]

/** An audit three hours ago that found so many payments and cents more in our books than in theirs. */
function audit(
  forDefault: Difference = [0n, 0n],
  forFallback: Difference = [0n, 0n],
  changes: Partial<AuditResult> = {}
): AuditResult {
  const difference = ([payments, cents]: Difference) => ({ payments, cents })
  return {
    atMs: NOW_MS - 10_800_000,
    kind: 'plain',
    untilMs: NOW_MS - 10_802_000,
    differences: { default: difference(forDefault), fallback: difference(forFallback) },
    differingPayments: null,
    notCompared: { payments: 0, oldestSentAtMs: null },
    oneByOne: null,
    ...changes
  }
}
/** One by one, equal in the sums. */
const deepAudit = (differingPayments: number) =>
  audit(undefined, undefined, { kind: 'deep', differingPayments, oneByOne: { compared: 40, of: 40 } })
/** Equal, which left out so many payments in flight, the oldest for so long by then. */
const incompleteAudit = (payments: number, inFlightMs: number, changes: Partial<AuditResult> = {}) =>
  audit(undefined, undefined, {
    notCompared: { payments, oldestSentAtMs: NOW_MS - 10_800_000 - inFlightMs },
    ...changes
  })

const redis = (changes: Partial<Observation['redis']>) => ({ redis: { ...HEALTHY.redis, ...changes } })
const waiting = (unsettledCount: number, forMs: number) => ({
  unsettledCount,
  oldestAcceptedAtMs: NOW_MS - forMs,
  oldestWaitingAcceptedAtMs: NOW_MS - forMs
})
const signOfWorker = (agoMs: number, pendingCount: number) => [
  { name: 'worker-1-a', seenAtMs: NOW_MS - agoMs, pendingCount }
]
const trouble = (what: TroubleReport['what'], reason: string, agoMs: number): TroubleReport => ({
  what,
  reason,
  sinceMs: NOW_MS - agoMs
})
const troubled = (troubles: TroubleReport[], agoMs?: number) => withReport({ ...worker('worker-1'), troubles }, agoMs)
/** So many answers at a processor, and no other for ten seconds. */
const answered = (name: ProcessorName, answers: Partial<LaneReport['recent']['answers']>, given = lane()) => {
  const none = { booked: 0, 'already-booked': 0, 'not-booked': 0, rejected: 0, unknown: 0 }
  const recent = { answers: { ...none, ...answers }, latency: latencyOf() }
  return withReport(worker('worker-1', { [name]: { ...given, recent } }))
}
/** A breaker is open, but for ten seconds nothing was sent. */
const quiet = answered('fallback', {}, lane('HALF_OPEN', NOW_MS - 12_000))

describe('figures', () => {
  it('add up what all gateways and workers report', () => {
    const second = received(worker('worker-2', { fallback: lane('OPEN', NOW_MS - 5_000) }))
    const workers = [...HEALTHY.workers, { name: 'worker-2-a', seenAtMs: NOW_MS - 100, pendingCount: 0 }]
    const all = figures({ reports: [...HEALTHY.reports, second], workers })
    assert.deepEqual([all.acceptedPerSecond, all.settledPerSecond], [100, 180])
    assert.deepEqual(all.accepting, {
      answers: { accepted: 1_000, duplicate: 4, conflict: 0, invalid: 0, refused: 0 },
      latency: { count: 8, meanMs: 2.75, p50Ms: 1, p99Ms: 8 }
    })
    const { default: first, fallback } = all.processors
    assert.deepEqual([first.successRate, first.inFlight, fallback.latency.meanMs], [0.9, 4, 10])
    assert.deepEqual(fallback.breakers, [
      { worker: 'worker-1', state: 'CLOSED', since: null, openSeconds: null },
      { worker: 'worker-2', state: 'OPEN', since: '2026-11-21T11:59:55.000Z', openSeconds: 5 }
    ])
  })

  it('leave out what the dead reported last', () => {
    const dead = [received(gateway('gateway-2'), 5_000), received(worker('worker-1'), 5_000)]
    const all = figures({ reports: [received(gateway('gateway-1')), ...dead], workers: [] })
    assert.deepEqual([all.acceptedPerSecond, all.settledPerSecond], [50, 0])
    const { breakers, successRate, latency } = all.processors.default
    assert.deepEqual([breakers, successRate, latency.p99Ms], [[], null, null])
  })

  it('tell of the queue what waits, what is in flight and how old it is', () => {
    const ages = { oldestAcceptedAtMs: NOW_MS - 9_000, oldestWaitingAcceptedAtMs: NOW_MS - 7_000 }
    assert.deepEqual(figures({ unsettledCount: 10, inFlightCount: 3, ...ages }).queue, {
      unsettled: 10,
      waiting: 7,
      inFlight: 3,
      oldestSeconds: 9,
      oldestWaitingSeconds: 7,
      deadLetters: 0
    })
  })

  it('tell the money, and what it would have cost all on fallback', () => {
    const allOnFallback = { fees: 6_120n, net: 34_680n }
    assert.deepEqual(figures().money, { settled: 40_800n, fees: 2_140n, net: 38_660n, allOnFallback })
  })

  it('tell what a worker cannot do, as long as it lives', () => {
    const troubles = (reports: Received[]) => figures({ reports, workers: [] }).workers.map(each => each.troubles)
    assert.deepEqual(troubles(troubled([trouble('heartbeat', 'WRONGTYPE', 12_000)])), [
      [{ what: 'heartbeat', reason: 'WRONGTYPE', since: '2026-11-21T11:59:48.000Z' }]
    ])
    // As a worker of an older version reports.
    assert.deepEqual(troubles(HEALTHY.reports), [[]])
  })

  it('know a worker by its heartbeat alone, and forget one that was replaced', () => {
    const before = received(worker('worker-1'), 9_000, 'before')
    const now = received({ ...worker('worker-1'), startedAtMs: NOW_MS - 8_000 }, 500, 'now')
    const sign = (name: string, agoMs: number, pendingCount: number) => ({
      name,
      seenAtMs: NOW_MS - agoMs,
      pendingCount
    })
    const signs = [sign('worker-1-now', 100, 1), sign('worker-9-x', 100, 0)]
    const names = (workers: Observation['workers']) =>
      figures({ reports: [before, now], workers }).workers.map(({ name }) => name)
    assert.deepEqual(names(signs), ['worker-1-now', 'worker-9-x'])
    // Unless it has payments that nobody has taken over.
    const holding = [...signs, sign('worker-1-before', 9_000, 2)]
    assert.deepEqual(names(holding), ['worker-1-before', 'worker-1-now', 'worker-9-x'])
  })

  it('tell what an audit left out with the age that it had by then', () => {
    assert.deepEqual(figures({ audit: incompleteAudit(2, 5_000) }).audit?.notCompared, {
      count: 2,
      oldestSentAt: '2026-11-21T08:59:55.000Z',
      oldestSeconds: 5
    })
    assert.deepEqual(figures({ audit: deepAudit(0) }).audit?.oneByOne, { compared: 40, of: 40 })
  })
})

describe('the memory of Redis', () => {
  const MB = 1_048_576
  const parts = (queueMb: number, idsMb: number, totalsMb: number) => ({
    queueBytes: queueMb * MB,
    idsBytes: idsMb * MB,
    totalsBytes: totalsMb * MB
  })
  const memory = (given: ReturnType<typeof parts> | null) => figures({}, { memory: given }).redis.memory

  it('is shown by part, and what is left is other', () => {
    assert.deepEqual(memory(parts(1, 2, 0.5)), { ...parts(1, 2, 0.5), otherBytes: 1.5 * MB })
    // Estimated a moment before, when there was more.
    assert.equal(memory(parts(5, 1, 0))?.otherBytes, 0)
    assert.equal(memory(null), null)
  })

  for (const [part, given, largest] of [
    ['the queue', parts(30, 10, 0), ' The largest part, 30.0 MB, is the queue.'],
    ['ids', parts(1, 40, 1), ' The largest part, 40.0 MB, is the memory of ids.'],
    ['totals', parts(0, 1, 40), ' The largest part, 40.0 MB, is the totals.'],
    ['nobody knows what', null, '']
  ] as const) {
    it(`is full of ${part}`, () => {
      const sentences = (usedBytes: number) => problemsOf(figures(redis({ usedBytes }), { memory: given }))
      assert.deepEqual(sentences(51 * MB), [
        `Redis is nearly full, 51.0 MB of 56.0 MB. When it is full, new payments get 503.${largest}`
      ])
      assert.deepEqual(sentences(58_720_300), [
        `Redis is full, 56.0 MB of 56.0 MB: new payments get 503 until some are settled, which goes on.${largest}`
      ])
    })
  }
})

describe('problems', () => {
  /** No more sentences than these, in this order. */
  const says = (name: string, changes: Partial<Observation>, expected: RegExp[]) => {
    it(expected.length === 0 ? `none when ${name}` : name, () => {
      const sentences = problemsOf(figures(changes))
      assert.equal(sentences.length, expected.length, sentences.join('\n'))
      for (const [index, pattern] of expected.entries()) assert.match(sentences[index] ?? '', pattern)
      for (const sentence of sentences) assert(!/undefined|null|NaN|Infinity/.test(sentence), sentence)
    })
  }

  says('all is well', {}, [])

  says('an audit found equal books', { audit: deepAudit(0) }, [])
  says('the books differ', { audit: audit([2n, 3_980n], [-1n, -1_990n]) }, [
    /^The books differ by the audit of 2026-11-21 09:00:00 UTC, 3 h ago: ours minus those of default are 2 payments and 39\.80 and ours minus those of fallback are -1 payments and -19\.90\. `npm run audit -- --deep` names the payments\.$/
  ])
  says('the books differ by a cent', { audit: audit([0n, 0n], [0n, -1n]) }, [
    /: ours minus those of fallback are 0 payments and -0\.01\. `npm/
  ])
  says("totals agree, payments don't", { audit: deepAudit(2) }, [
    /^The books differ by the audit of .*: 2 payments differ one by one\./
  ])
  says('an audit of an older version found equal books', { audit: { ...audit(), notCompared: null } }, [])
  says('an audit left out what was just on its way', { audit: incompleteAudit(3, 5_000) }, [])
  says('an audit left out what had been in flight for long', { audit: incompleteAudit(2, 7_200_000) }, [
    /^The books agree in all that was compared by the audit of 2026-11-21 09:00:00 UTC, 3 h ago: it left out 2 payments in flight, the oldest for 2 h by then\. `npm run audit` names them\.$/
  ])
  const incompleteAndUnequal = incompleteAudit(2, 7_200_000, { differingPayments: 1 })
  says('an audit left out payments, and the rest differs', { audit: incompleteAndUnequal }, [
    /^The books differ by the audit of /
  ])

  says('a dead letter', { deadLetterCount: 1 }, [
    /^1 dead letter waits: payments that both processors refused for good, or entries of the queue that were no payment\. `npm run redrive` shows them\.$/
  ])
  says('default refuses a payment for what it is', { reports: answered('default', { booked: 9, rejected: 1 }) }, [
    /^The default processor refused 1 payment for good in the last 10 s \(status 400, 413 or 415\)\. It goes to fallback, and to the dead letters if that refuses as well\.$/
  ])
  says('fallback refuses payments for what they are', { reports: answered('fallback', { booked: 9, rejected: 2 }) }, [
    /^The fallback processor refused 2 payments for good in the last 10 s .*\. They go to default, and/
  ])

  const takeover = {
    reports: [...withReport(worker('worker-1'), 7_000), received(worker('worker-2'))],
    workers: signOfWorker(7_000, 12)
  }
  says('a worker is silent, another takes over', takeover, [
    /^worker-1 has shown no sign of life for 7\.0 s\. Another worker takes over the 12 payments it has\.$/
  ])
  says('no worker lives', { reports: withReport(worker('worker-1'), 7_000), workers: signOfWorker(7_000, 1) }, [
    /^No worker is running: payments are accepted and wait/,
    /^worker-1 .* for 7\.0 s\. 1 payment it has will be taken over once a worker is running\.$/
  ])
  const withoutWorker = HEALTHY.reports.filter(({ report }) => report.role !== 'worker')
  says('there never was a worker', { workers: [], reports: withoutWorker }, [/^No worker is running/])
  const heartbeat = trouble('heartbeat', 'WRONGTYPE Operation against a key', 12_000)
  says('a worker cannot send its heartbeat', { reports: troubled([heartbeat]) }, [
    /^worker-1 has been unable to send its heartbeat for 12 s, since 11:59:48 UTC: WRONGTYPE Operation against a key\. Until it can, it takes nothing over from dead workers\.$/
  ])
  const both = [trouble('exchange', 'NOGROUP No such key.', 3_000), trouble('heartbeat', 'NOGROUP', 1_000)]
  says('a worker can do neither', { reports: troubled(both) }, [
    /^worker-1 has been unable to settle or take payments for 3\.0 s, since 11:59:57 UTC: NOGROUP No such key\.$/,
    /^worker-1 has been unable to send its heartbeat for 1\.0 s/
  ])
  says('a worker tells that it has no trouble', { reports: troubled([]) }, [])
  const troubledAndSilent = troubled([trouble('exchange', 'NOGROUP', 9_000)], 7_000)
  says(
    'a worker had trouble before it fell silent',
    { reports: [...troubledAndSilent, received(worker('worker-2'))], workers: [] },
    [/^worker-1 has shown no sign of life for 7\.0 s\./]
  )

  const failing = { ...WELL, failing: true }
  says('default fails', { reports: withBreaker(['default', 'OPEN']) }, [
    /^The default processor fails: its breaker is OPEN at worker-1 \(since 11:59:48 UTC, 12 s\)\. Payments wait for it for a while, then go to fallback/
  ])
  says(
    'default fails and is called failing',
    { reports: withBreaker(['default', 'OPEN']), health: { default: failing, fallback: WELL } },
    [/, and its health poll 2\.0 s ago said so\. Payments wait/]
  )
  says('fallback fails', { reports: withBreaker(['fallback', 'HALF_OPEN']) }, [
    /^The fallback processor fails: its breaker is HALF_OPEN at worker-1 .*Payments go to default/
  ])
  says('both fail', { reports: withBreaker(['default', 'OPEN'], ['fallback', 'HALF_OPEN']) }, [
    /^Both processors fail: payments are accepted and wait\. The default .* The fallback /
  ])
  const failsForOne = received(worker('worker-2', { default: lane('OPEN', NOW_MS - 1_000) }))
  says('default fails for one of two workers', { reports: [...HEALTHY.reports, failsForOne] }, [
    /^The default processor fails for 1 of 2 workers: its breaker is OPEN at worker-2 \(since 11:59:59 UTC, 1\.0 s\)\.$/
  ])
  says('fallback failed, nothing was sent since, and a poll tells that it is well', { reports: quiet }, [])
  says(
    'fallback failed, nothing was sent since, and no poll has told anything since',
    { reports: quiet, health: { default: WELL, fallback: { ...WELL, checkedAtMs: NOW_MS - 13_000 } } },
    [/^The fallback processor fails: its breaker is HALF_OPEN/]
  )
  says('default is called failing, but works', { health: { default: failing, fallback: WELL } }, [
    /^The default processor is called failing: its health poll 2\.0 s ago said so\. No worker finds it failing now\.$/
  ])

  const monitorDied = withReport(MONITOR, 20_000)
  const nothingPublished = { preferred: null, health: { default: null, fallback: null } }
  says('nobody polls', { hasMonitor: false, ...nothingPublished, reports: monitorDied }, [
    /^Nobody polls the health of the processors/,
    /^monitor-1 has shown no sign of life for 20 s\.$/
  ])
  says('a monitor died and holds its lease', { reports: monitorDied }, [/^Nobody polls/, /^monitor-1/])
  const secondMonitor = received({ ...MONITOR, label: 'monitor-2' })
  says('a monitor died and another one polls', { reports: [...monitorDied, secondMonitor] }, [
    /^monitor-1 has shown no sign of life for 20 s\. Another monitor polls\.$/
  ])
  says('a processor does not answer polls', { health: { default: WELL, fallback: null } }, [
    /^The health of fallback is unknown:/
  ])

  says('payments wait', { inFlightCount: 66, ...waiting(1_300, 12_000) }, [
    /^1,234 payments wait in the queue, the oldest for 12 s, and their number grows: 100 a second are accepted, 90 settled\.$/
  ])
  says('payments wait for a moment', waiting(100, 1_500), [])
  says('an outcome is open', { oldestAcceptedAtMs: NOW_MS - 90_000 }, [
    /^A payment that was accepted 90 s ago is still in flight: its outcome is unknown, and it stays with its processor/
  ])

  says('Redis is nearly full of other things', redis({ usedBytes: 53_477_376 }), [
    /The largest part, 47\.5 MB, is neither queue nor ids nor totals\.$/
  ])
  says('Redis is filled just below nine tenths', redis({ usedBytes: 52_848_230 }), [])
  says('Redis has no limit', redis({ usedBytes: 1e12, maxBytes: null }), [])
  says('Redis cannot write', redis({ canWriteLog: false }), [
    /^Redis cannot write its append-only log: look at its disk/
  ])
  says('Redis cannot rewrite', redis({ canRewriteLog: false }), [
    /^Redis could not rewrite its append-only log, which grows/
  ])
  says('Redis keeps no log', redis({ keepsLog: false }), [
    /^Redis keeps no append-only log: if it crashes, every accepted payment is lost\./
  ])
  says('Redis evicts', redis({ evictionPolicy: 'allkeys-lru' }), [
    /^Redis may forget payments when it is full: its maxmemory-policy is allkeys-lru\./
  ])

  const refusing = gateway('gateway-2', {
    refusing: { reason: 'The queue is full.', sinceMs: NOW_MS - 3_000 },
    recent: {
      answers: { accepted: 0, duplicate: 0, conflict: 0, invalid: 0, refused: 1_500 },
      latency: latencyOf()
    }
  })
  says('a gateway refuses', { reports: withReport(refusing) }, [
    /^gateway-2 has refused payments with 503 since 11:59:57 UTC, 1,500 in the last 10 s: The queue is full\.$/
  ])
  const gatewayDied = withReport(gateway('gateway-2'), 9_000)
  says('a gateway is silent', { reports: gatewayDied }, [
    /^gateway-2 has shown no sign of life for 9\.0 s\. Its clients are served by the others\.$/
  ])
  const restarted = received(gateway('gateway-2', { startedAtMs: NOW_MS - 8_000 }), 100, 'b')
  says('a gateway was restarted', { reports: [...gatewayDied, restarted] }, [])
  const twin = received(gateway('gateway-2'), 100, 'b')
  says('one of two gateways of the same host died', { reports: [...gatewayDied, twin] }, [
    /^gateway-2 has shown no sign of life for 9\.0 s/
  ])

  it('Redis does not answer', () => {
    const [sentence = ''] = redisLostProblems(12.3, '2026-11-21T11:59:48.000Z', 'no connection')
    assert.match(
      sentence,
      /^Redis has not answered \(no connection\) for 12 s, since 11:59:48 UTC: new payments get 503 .* What was accepted is kept\./
    )
  })
})

test('why a processor is preferred', () => {
  for (const [changes, why] of [
    [{}, /^default works, and it is the cheaper one/],
    [{ health: { default: null, fallback: WELL } }, /as far as is known: nothing was heard of default/],
    [
      { reports: withBreaker(['default', 'OPEN']) },
      /by its last health poll default works, but the workers get nothing booked there/
    ],
    [{ preferred: 'fallback' }, /^default is failing by its last health poll, and fallback works$/],
    [{ preferred: 'none' }, /^both processors are failing/],
    [{ preferred: null }, /^nobody publishes health/]
  ] as const)
    assert.match(figures(changes).preferred.why, why)
})

test('the body is JSON with problems first, and money as exact decimals', () => {
  const totals = {
    default: { requests: 2n ** 60n, cents: 123_456_789_012_345_678_901n },
    fallback: { requests: 0n, cents: 0n }
  }
  const all = figures({ audit: audit([-1n, -123_456_789_012_345_678_901n], [0n, -5n]) }, { totals })
  const body = renderStatus({ problems: [], isCurrent: true, answeredBy: 'gateway-1', ...all })
  for (const pattern of [
    /^\{\s+"problems": \[\]/,
    /"settled": 1234567890123456789\.01,/,
    /"payments": 1152921504606846976,/,
    /"amount": -1234567890123456789\.01/
  ])
    assert.match(body, pattern)
  const parsed = JSON.parse(body) as { money: Record<string, unknown>; queue: unknown; audit: Record<string, unknown> }
  assert.deepEqual(parsed.queue, all.queue)
  assert.deepEqual(Object.keys(parsed.money), ['settled', 'fees', 'net', 'allOnFallback'])
  const { differences, ...rest } = parsed.audit
  assert.deepEqual(rest, {
    at: '2026-11-21T09:00:00.000Z',
    ageSeconds: 10_800,
    kind: 'plain',
    until: '2026-11-21T08:59:58.000Z',
    isEqual: false,
    differingPayments: null,
    notCompared: { count: 0, oldestSentAt: null, oldestSeconds: null },
    oneByOne: null
  })
  assert.deepEqual((differences as { fallback: unknown }).fallback, { payments: 0, amount: -0.05 })
})

test('fees are exact, rounded once', () => {
  const fees = [feeOf(39_800n, 50_000n), feeOf(1n, 500_000n), feeOf(1n, 499_999n), feeOf(0n, 150_000n)]
  assert.deepEqual(fees, [1_990n, 1n, 0n, 0n])
  const nothing = { requests: 0n, cents: 0n }
  const { settled, fees: none, net } = moneyFigures({ default: nothing, fallback: nothing }, FEES)
  assert.deepEqual([settled, none, net], [0n, 0n, 0n])
})

test('words', () => {
  const seconds = [0, 0.42, 12.4, 119, 200, 8_000, 400_000]
  assert.deepEqual(seconds.map(duration), ['0.0 s', '0.4 s', '12 s', '119 s', '3 min', '2 h', '4 days'])
  assert.deepEqual(
    [counted(1, 'payment'), counted(1_234, 'payment'), counted(0, 'dead letter waits', 'dead letters wait')],
    ['1 payment', '1,234 payments', '0 dead letters wait']
  )
  assert.deepEqual([[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map(listed), ['', 'a', 'a and b', 'a, b and c'])
  assert.deepEqual([clock('2026-11-21T12:34:56.789Z'), megabytes(58_720_256)], ['12:34:56 UTC', '56.0 MB'])
})
