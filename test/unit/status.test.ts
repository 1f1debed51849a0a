// Goal: the status adds up what all processes report, and each fault becomes a sentence that a person can act on;
// without a fault there is no sentence.
// Method: one healthy observation, and one change to it for each case.
import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { figuresOf, type Figures } from '../../gateway/watching/status/figures.ts'
import { feeOf, moneyFigures } from '../../gateway/watching/status/money.ts'
import { problemsOf, redisLostProblems } from '../../gateway/watching/status/problems.ts'
import { renderStatus } from '../../gateway/watching/status/render.ts'
import { clock, counted, duration, listed, megabytes } from '../../gateway/watching/status/format.ts'
import type { ProcessorName } from '../../shared/payment.ts'
import type { MemoryParts } from '../../shared/watching/memory-parts.ts'
import type { Observation } from '../../shared/watching/observe.ts'
import type { AuditResult } from '../../shared/watching/audit-result.ts'
import { createHistogram, record, toSparse } from '../../shared/watching/histogram.ts'
import type {
  BreakerState,
  GatewayReport,
  LaneReport,
  MonitorReport,
  Received,
  TroubleReport,
  WorkerReport
} from '../../shared/watching/report.ts'

const NOW_MS = Date.parse('2026-11-21T12:00:00.000Z')
const FEES = { default: 50_000n, fallback: 150_000n }
const TOTALS = { default: { requests: 20n, cents: 39_800n }, fallback: { requests: 1n, cents: 1_000n } }
const PROCESS = { eventLoopLagMs: 0.4, residentBytes: 60_000_000, throttledShare: null }

function latencyOf(...times: number[]) {
  const histogram = createHistogram()
  for (const ms of times) record(histogram, ms)
  return toSparse(histogram)
}

function gateway(label: string, changes: Partial<GatewayReport> = {}): GatewayReport {
  return {
    role: 'gateway',
    label,
    startedAtMs: NOW_MS - 60_000,
    process: PROCESS,
    acceptedPerSecond: 50,
    refusing: null,
    connections: 3,
    recent: {
      answers: { accepted: 500, duplicate: 2, conflict: 0, invalid: 1, refused: 0 },
      latency: latencyOf(1, 1, 1, 8)
    },
    ...changes
  }
}

function lane(state: BreakerState = 'CLOSED', sinceMs: number | null = null): LaneReport {
  const answers = { booked: 90, 'already-booked': 0, 'not-booked': 10, rejected: 0, unknown: 0 }
  return {
    breaker: { state, sinceMs },
    inFlight: 2,
    settledPerSecond: 45,
    recent: { answers, latency: latencyOf(10, 10) }
  }
}

function worker(label: string, processors: Partial<WorkerReport['processors']> = {}): WorkerReport {
  return {
    role: 'worker',
    label,
    startedAtMs: NOW_MS - 60_000,
    process: PROCESS,
    processors: { default: lane(), fallback: lane(), ...processors }
  }
}

const MONITOR: MonitorReport = {
  role: 'monitor',
  label: 'monitor-1',
  startedAtMs: NOW_MS - 60_000,
  process: PROCESS,
  isActive: true,
  polls: { default: { result: 'well', atMs: NOW_MS - 2_000 }, fallback: { result: 'well', atMs: NOW_MS - 2_000 } }
}

function received(report: Received['report'], agoMs = 500, suffix = 'a'): Received {
  return { name: `${report.label}-${suffix}`, seenAtMs: NOW_MS - agoMs, report }
}

const WELL = { failing: false, minResponseTimeMs: 0, checkedAtMs: NOW_MS - 2_000 }
const HEALTHY: Observation = {
  atMs: NOW_MS,
  unsettledCount: 4,
  inFlightCount: 4,
  deadLetterCount: 0,
  oldestAcceptedAtMs: NOW_MS - 100,
  oldestWaitingAcceptedAtMs: null,
  preferred: 'default',
  health: { default: WELL, fallback: WELL },
  hasMonitor: true,
  workers: [{ name: 'worker-1-a', seenAtMs: NOW_MS - 200, pendingCount: 4 }],
  reports: [
    received(gateway('gateway-1')),
    received(gateway('gateway-2')),
    received(worker('worker-1')),
    received(MONITOR)
  ],
  audit: null,
  redis: {
    usedBytes: 5_242_880,
    maxBytes: 58_720_256,
    keepsLog: true,
    canWriteLog: true,
    canRewriteLog: true,
    evictionPolicy: 'noeviction'
  },
  totalsExactSince: null
}

const MEMORY = { queueBytes: 1_048_576, idsBytes: 2_097_152, totalsBytes: 524_288 }

function figures(changes: Partial<Observation> = {}, memory: MemoryParts | null = MEMORY): Figures {
  return figuresOf({ observation: { ...HEALTHY, ...changes }, totals: TOTALS, memory }, FEES)
}

/** An audit three hours ago that found so many payments and cents more in our books than in theirs. */
function audit(
  forDefault: [bigint, bigint] = [0n, 0n],
  forFallback: [bigint, bigint] = [0n, 0n],
  differingPayments: number | null = null
): AuditResult {
  const difference = ([payments, cents]: [bigint, bigint]) => ({ payments, cents })
  return {
    atMs: NOW_MS - 10_800_000,
    kind: differingPayments === null ? 'plain' : 'deep',
    untilMs: NOW_MS - 10_802_000,
    differences: { default: difference(forDefault), fallback: difference(forFallback) },
    differingPayments,
    notCompared: { payments: 0, oldestSentAtMs: null },
    oneByOne: differingPayments === null ? null : { compared: 40, of: 40 }
  }
}

/** The same, equal, which left out so many payments in flight, the oldest for so long by then. */
function incompleteAudit(payments: number, inFlightMs: number): AuditResult {
  return { ...audit(), notCompared: { payments, oldestSentAtMs: NOW_MS - 10_800_000 - inFlightMs } }
}

/** The healthy reports, one of them replaced. */
function withReport(replacement: Received): Received[] {
  return HEALTHY.reports.map(each => (each.report.label === replacement.report.label ? replacement : each))
}

const problems = (changes: Partial<Observation> = {}) => problemsOf(figures(changes))
const shut = (...names: ProcessorName[]) =>
  withReport(
    received(
      worker(
        'worker-1',
        Object.fromEntries(names.map(name => [name, lane(name === 'default' ? 'OPEN' : 'HALF_OPEN', NOW_MS - 12_000)]))
      )
    )
  )
const troubled = (...troubles: TroubleReport[]) => withReport(received({ ...worker('worker-1'), troubles }))
/** A breaker is open, but for ten seconds nothing was sent. */
const quiet = (name: ProcessorName) => {
  const answers = { booked: 0, 'already-booked': 0, 'not-booked': 0, rejected: 0, unknown: 0 }
  return withReport(
    received(
      worker('worker-1', {
        [name]: { ...lane('HALF_OPEN', NOW_MS - 12_000), recent: { answers, latency: latencyOf() } }
      })
    )
  )
}

describe('figures', () => {
  it('add up what all gateways and workers report', () => {
    const second = received(worker('worker-2', { fallback: lane('OPEN', NOW_MS - 5_000) }))
    const workers = [...HEALTHY.workers, { name: 'worker-2-a', seenAtMs: NOW_MS - 100, pendingCount: 0 }]
    const { processors, accepting, acceptedPerSecond, settledPerSecond } = figures({
      reports: [...HEALTHY.reports, second],
      workers
    })
    assert.equal(acceptedPerSecond, 100)
    assert.equal(settledPerSecond, 180)
    assert.deepEqual(accepting.answers, { accepted: 1_000, duplicate: 4, conflict: 0, invalid: 2, refused: 0 })
    assert.deepEqual(accepting.latency, { count: 8, meanMs: 2.75, p50Ms: 1, p99Ms: 8 })
    assert.equal(processors.default.successRate, 0.9)
    assert.equal(processors.default.inFlight, 4)
    assert.deepEqual(processors.fallback.breakers, [
      { worker: 'worker-1', state: 'CLOSED', since: null, openSeconds: null },
      { worker: 'worker-2', state: 'OPEN', since: '2026-11-21T11:59:55.000Z', openSeconds: 5 }
    ])
    assert.equal(processors.fallback.latency.meanMs, 10)
  })

  it('leave out what the dead reported last', () => {
    const { acceptedPerSecond, settledPerSecond, processors } = figures({
      reports: [
        received(gateway('gateway-1')),
        received(gateway('gateway-2'), 5_000),
        received(worker('worker-1'), 5_000)
      ],
      workers: []
    })
    assert.equal(acceptedPerSecond, 50)
    assert.equal(settledPerSecond, 0)
    assert.deepEqual(
      [processors.default.breakers, processors.default.successRate, processors.default.latency.p99Ms],
      [[], null, null]
    )
  })

  it('tell of the queue what waits, what is in flight and how old it is', () => {
    const { queue } = figures({
      unsettledCount: 10,
      inFlightCount: 3,
      oldestAcceptedAtMs: NOW_MS - 9_000,
      oldestWaitingAcceptedAtMs: NOW_MS - 7_000
    })
    assert.deepEqual(queue, {
      unsettled: 10,
      waiting: 7,
      inFlight: 3,
      oldestSeconds: 9,
      oldestWaitingSeconds: 7,
      deadLetters: 0
    })
  })

  it('tell the money, and what it would have cost all on fallback', () => {
    assert.deepEqual(figures().money, {
      settled: 40_800n,
      fees: 2_140n,
      net: 38_660n,
      allOnFallback: { fees: 6_120n, net: 34_680n }
    })
  })

  it('tell what a worker can not do, as long as it lives', () => {
    const workers = (reports: Received[]) => figures({ reports, workers: [] }).workers.map(({ troubles }) => troubles)
    assert.deepEqual(workers(troubled({ what: 'heartbeat', reason: 'WRONGTYPE', sinceMs: NOW_MS - 12_000 })), [
      [{ what: 'heartbeat', reason: 'WRONGTYPE', since: '2026-11-21T11:59:48.000Z' }]
    ])
    // As a worker of an older version reports.
    assert.deepEqual(workers(HEALTHY.reports), [[]])
  })

  it('know a worker by its heartbeat alone, and forget one that was replaced', () => {
    const before = received(worker('worker-1'), 9_000, 'before')
    const now = received({ ...worker('worker-1'), startedAtMs: NOW_MS - 8_000 }, 500, 'now')
    const signs = [
      { name: 'worker-1-now', seenAtMs: NOW_MS - 100, pendingCount: 1 },
      { name: 'worker-9-x', seenAtMs: NOW_MS - 100, pendingCount: 0 }
    ]
    const names = (workers: Observation['workers']) =>
      figures({ reports: [before, now], workers }).workers.map(({ name }) => name)
    assert.deepEqual(names(signs), ['worker-1-now', 'worker-9-x'])
    // Unless it has payments that nobody has taken over.
    assert.deepEqual(names([...signs, { name: 'worker-1-before', seenAtMs: NOW_MS - 9_000, pendingCount: 2 }]), [
      'worker-1-before',
      'worker-1-now',
      'worker-9-x'
    ])
  })
})

describe('the memory of Redis', () => {
  const full = { redis: { ...HEALTHY.redis, usedBytes: 53_477_376 } }
  const parts = (queueBytes: number, idsBytes: number, totalsBytes: number) => ({ queueBytes, idsBytes, totalsBytes })

  it('is told by part, and what is left is other', () => {
    assert.deepEqual(figures().redis.memory, { ...MEMORY, otherBytes: 5_242_880 - 3_670_016 })
    // Estimated a moment before, when there was more.
    assert.equal(figures({}, parts(5_000_000, 1_000_000, 0)).redis.memory?.otherBytes, 0)
    assert.equal(figures({}, null).redis.memory, null)
  })

  for (const [name, memory, told] of [
    ['the queue', parts(31_457_280, 10_485_760, 0), '30\\.0 MB, is the queue'],
    ['ids', parts(1_048_576, 41_943_040, 1_048_576), '40\\.0 MB, is the memory of ids'],
    ['totals', parts(0, 1_048_576, 41_943_040), '40\\.0 MB, is the totals']
  ] as const) {
    it(`is full of ${name}`, () => {
      assert.match(
        problemsOf(figures(full, memory))[0] ?? '',
        new RegExp(`^Redis is nearly full, .* The largest part, ${told}\\.$`)
      )
      const filled = { redis: { ...HEALTHY.redis, usedBytes: 58_720_300 } }
      assert.match(
        problemsOf(figures(filled, memory))[0] ?? '',
        new RegExp(`^Redis is full, .*, which goes on\\. The largest part, ${told}\\.$`)
      )
    })
  }

  it('is full of nobody knows what', () => {
    assert.match(
      problemsOf(figures(full, null))[0] ?? '',
      /^Redis is nearly full, 51\.0 MB of 56\.0 MB\. When it is full, new payments get 503\.$/
    )
  })
})

describe('problems', () => {
  const cases: [string, Partial<Observation>, RegExp[]][] = [
    ['all is well', {}, []],
    ['an audit found equal books', { audit: audit([0n, 0n], [0n, 0n], 0) }, []],
    [
      'the books differ',
      { audit: audit([2n, 3_980n], [-1n, -1_990n]) },
      [
        /^The books differ by the audit of 2026-11-21 09:00:00 UTC, 3 h ago: ours minus those of default are 2 payments and 39\.80 and ours minus those of fallback are -1 payments and -19\.90\. `npm run audit -- --deep` names the payments\.$/
      ]
    ],
    [
      'the books differ by a cent',
      { audit: audit([0n, 0n], [0n, -1n]) },
      [/: ours minus those of fallback are 0 payments and -0\.01\. `npm/]
    ],
    [
      "totals agree, payments don't",
      { audit: audit([0n, 0n], [0n, 0n], 2) },
      [/^The books differ by the audit of .*: 2 payments differ one by one\./]
    ],
    ['an audit of an older version found equal books', { audit: { ...audit(), notCompared: null } }, []],
    ['an audit left out what was just on its way', { audit: incompleteAudit(3, 5_000) }, []],
    [
      'an audit left out what had been in flight for long',
      { audit: incompleteAudit(2, 7_200_000) },
      [
        /^The books agree in all that was compared by the audit of 2026-11-21 09:00:00 UTC, 3 h ago: it left out 2 payments in flight, the oldest for 2 h by then\. `npm run audit` names them\.$/
      ]
    ],
    [
      'an audit left out payments, and the rest differs',
      { audit: { ...incompleteAudit(2, 7_200_000), differingPayments: 1 } },
      [/^The books differ by the audit of /]
    ],
    [
      'a dead letter',
      { deadLetterCount: 1 },
      [
        /^1 dead letter waits: payments that both processors refused for good, or entries of the queue that were no payment\. `npm run redrive` shows them\.$/
      ]
    ],
    [
      'a worker is silent, another takes over',
      {
        reports: [...withReport(received(worker('worker-1'), 7_000)), received(worker('worker-2'))],
        workers: [{ name: 'worker-1-a', seenAtMs: NOW_MS - 7_000, pendingCount: 12 }]
      },
      [/^worker-1 has shown no sign of life for 7\.0 s\. Another worker takes over the 12 payments it has\.$/]
    ],
    [
      'no worker lives',
      {
        reports: withReport(received(worker('worker-1'), 7_000)),
        workers: [{ name: 'worker-1-a', seenAtMs: NOW_MS - 7_000, pendingCount: 1 }]
      },
      [
        /^No worker lives: payments are accepted and wait/,
        /^worker-1 .* for 7\.0 s\. 1 payment it has will be taken over when a worker lives\.$/
      ]
    ],
    [
      'there never was a worker',
      { workers: [], reports: HEALTHY.reports.filter(({ report }) => report.role !== 'worker') },
      [/^No worker lives/]
    ],
    [
      'a worker can not send its heartbeat',
      {
        reports: troubled({ what: 'heartbeat', reason: 'WRONGTYPE Operation against a key', sinceMs: NOW_MS - 12_000 })
      },
      [
        /^worker-1 can not send its heartbeat for 12 s since 11:59:48 UTC: WRONGTYPE Operation against a key\. What dead workers had is not taken over meanwhile\.$/
      ]
    ],
    [
      'a worker can do neither',
      {
        reports: troubled(
          { what: 'exchange', reason: 'NOGROUP No such key.', sinceMs: NOW_MS - 3_000 },
          { what: 'heartbeat', reason: 'NOGROUP', sinceMs: NOW_MS - 1_000 }
        )
      },
      [
        /^worker-1 can not settle or take payments for 3\.0 s since 11:59:57 UTC: NOGROUP No such key\.$/,
        /^worker-1 can not send its heartbeat for 1\.0 s/
      ]
    ],
    ['a worker tells that it has no trouble', { reports: troubled() }, []],
    [
      'a worker had trouble before it fell silent',
      {
        reports: [
          ...troubled({ what: 'exchange', reason: 'NOGROUP', sinceMs: NOW_MS - 9_000 }).map(each =>
            each.report.role === 'worker' ? { ...each, seenAtMs: NOW_MS - 7_000 } : each
          ),
          received(worker('worker-2'))
        ],
        workers: []
      },
      [/^worker-1 has shown no sign of life for 7\.0 s\./]
    ],
    [
      'default fails',
      { reports: shut('default') },
      [
        /^The default processor fails: its breaker is OPEN at worker-1 since 11:59:48 UTC, 12 s\. Payments wait for it for a while, then go to fallback/
      ]
    ],
    [
      'default fails and is called failing',
      { reports: shut('default'), health: { default: { ...WELL, failing: true }, fallback: WELL } },
      [/, and its health poll 2\.0 s ago said so\. Payments wait/]
    ],
    [
      'fallback fails',
      { reports: shut('fallback') },
      [/^The fallback processor fails: its breaker is HALF_OPEN at worker-1 .*Payments go to default/]
    ],
    [
      'both fail',
      { reports: shut('default', 'fallback') },
      [/^Both processors fail: payments are accepted and wait\. The default .* The fallback /]
    ],
    [
      'default fails for one of two workers',
      {
        reports: [...HEALTHY.reports, received(worker('worker-2', { default: lane('OPEN', NOW_MS - 1_000) }))]
      },
      [/^The default processor fails for 1 of 2 workers: its breaker is OPEN at worker-2 since 11:59:59 UTC, 1\.0 s\.$/]
    ],
    ['fallback failed, nothing was sent since, and a poll tells that it is well', { reports: quiet('fallback') }, []],
    [
      'fallback failed, nothing was sent since, and no poll has told anything since',
      {
        reports: quiet('fallback'),
        health: { default: WELL, fallback: { ...WELL, checkedAtMs: NOW_MS - 13_000 } }
      },
      [/^The fallback processor fails: its breaker is HALF_OPEN/]
    ],
    [
      'default is called failing, but works',
      { health: { default: { ...WELL, failing: true }, fallback: WELL } },
      [
        /^The default processor is called failing: its health poll 2\.0 s ago said so\. No worker finds it failing now\.$/
      ]
    ],
    [
      'nobody polls',
      {
        hasMonitor: false,
        preferred: null,
        health: { default: null, fallback: null },
        reports: withReport(received(MONITOR, 20_000))
      },
      [/^Nobody polls the health of the processors/, /^monitor-1 has shown no sign of life for 20 s\.$/]
    ],
    [
      'a monitor died and holds its lease',
      { reports: withReport(received(MONITOR, 20_000)) },
      [/^Nobody polls/, /^monitor-1/]
    ],
    [
      'a monitor died and another one polls',
      { reports: [...withReport(received(MONITOR, 20_000)), received({ ...MONITOR, label: 'monitor-2' })] },
      [/^monitor-1 has shown no sign of life for 20 s\. Another monitor polls\.$/]
    ],
    [
      'a processor does not answer polls',
      { health: { default: WELL, fallback: null } },
      [/^Nothing is known of the health of fallback:/]
    ],
    [
      'payments wait',
      {
        unsettledCount: 1_300,
        inFlightCount: 66,
        oldestAcceptedAtMs: NOW_MS - 12_000,
        oldestWaitingAcceptedAtMs: NOW_MS - 12_000
      },
      [
        /^1,234 payments wait in the queue, the oldest for 12 s, and their number grows: 100 a second are accepted, 90 settled\.$/
      ]
    ],
    [
      'payments wait for a moment',
      { unsettledCount: 100, oldestAcceptedAtMs: NOW_MS - 1_500, oldestWaitingAcceptedAtMs: NOW_MS - 1_500 },
      []
    ],
    [
      'an outcome is open',
      { oldestAcceptedAtMs: NOW_MS - 90_000 },
      [/^A payment that was accepted 90 s ago is still in flight: its outcome is open, and it stays at its processor/]
    ],
    [
      'Redis is nearly full',
      { redis: { ...HEALTHY.redis, usedBytes: 53_477_376 } },
      [
        /^Redis is nearly full, 51\.0 MB of 56\.0 MB\. When it is full, new payments get 503\. The largest part, 47\.5 MB, is neither queue nor ids nor totals\.$/
      ]
    ],
    [
      'Redis is full',
      { redis: { ...HEALTHY.redis, usedBytes: 58_720_300 } },
      [/^Redis is full, 56\.0 MB of 56\.0 MB: new payments get 503/]
    ],
    ['Redis has no limit', { redis: { ...HEALTHY.redis, usedBytes: 1e12, maxBytes: null } }, []],
    [
      'Redis can not write',
      { redis: { ...HEALTHY.redis, canWriteLog: false } },
      [/^Redis can not write its append-only log: look at its disk/]
    ],
    [
      'Redis can not rewrite',
      { redis: { ...HEALTHY.redis, canRewriteLog: false } },
      [/^Redis could not rewrite its append-only log, which grows/]
    ],
    [
      'Redis keeps no log',
      { redis: { ...HEALTHY.redis, keepsLog: false } },
      [/^Redis keeps no append-only log: if it crashes, every accepted payment is lost\./]
    ],
    [
      'Redis evicts',
      { redis: { ...HEALTHY.redis, evictionPolicy: 'allkeys-lru' } },
      [/^Redis may forget payments when it is full: its maxmemory-policy is allkeys-lru\./]
    ],
    [
      'a gateway refuses',
      {
        reports: withReport(
          received(
            gateway('gateway-2', {
              refusing: { reason: 'The queue is full.', sinceMs: NOW_MS - 3_000 },
              recent: {
                answers: { accepted: 0, duplicate: 0, conflict: 0, invalid: 0, refused: 1_500 },
                latency: latencyOf()
              }
            })
          )
        )
      },
      [/^gateway-2 refuses payments with 503 since 11:59:57 UTC, 1,500 in the last 10 s: The queue is full\.$/]
    ],
    [
      'a gateway is silent',
      { reports: withReport(received(gateway('gateway-2'), 30_000)) },
      [/^gateway-2 has shown no sign of life for 30 s\. Its clients are served by the others\.$/]
    ],
    [
      'a gateway was restarted',
      {
        reports: [
          ...withReport(received(gateway('gateway-2'), 9_000)),
          received({ ...gateway('gateway-2'), startedAtMs: NOW_MS - 8_000 }, 100, 'b')
        ]
      },
      []
    ],
    [
      'one of two gateways of the same host died',
      {
        reports: [...withReport(received(gateway('gateway-2'), 9_000)), received(gateway('gateway-2'), 100, 'b')]
      },
      [/^gateway-2 has shown no sign of life for 9\.0 s/]
    ]
  ]
  for (const [name, changes, expected] of cases) {
    it(expected.length === 0 ? `none when ${name}` : name, () => {
      const told = problems(changes)
      assert.equal(told.length, expected.length, told.join('\n'))
      expected.forEach((pattern, index) => {
        assert.match(told[index] ?? '', pattern)
      })
      for (const sentence of told) assert(!/undefined|null|NaN|Infinity/.test(sentence), sentence)
    })
  }

  it('Redis does not answer', () => {
    const [sentence] = redisLostProblems(12.3, '2026-11-21T11:59:48.000Z', 'no connection')
    assert.match(
      sentence ?? '',
      /^Redis does not answer \(no connection\), for 12 s since 11:59:48 UTC: new payments get 503 .* What was accepted is kept\./
    )
  })
})

test('why a processor is preferred', () => {
  const why = (changes: Partial<Observation>) => figures(changes).preferred.why
  assert.match(why({}), /^default works, and it is the cheaper one/)
  assert.match(why({ health: { default: null, fallback: WELL } }), /as far as is known: nothing was heard of default/)
  assert.match(
    why({ reports: shut('default') }),
    /by its last health poll default works, but the workers get nothing booked there/
  )
  assert.match(why({ preferred: 'fallback' }), /^default is failing by its last health poll, and fallback works$/)
  assert.match(why({ preferred: 'none' }), /^both processors are failing/)
  assert.match(why({ preferred: null }), /^nobody publishes health/)
})

test('the body is JSON with problems first, and money as exact decimals', () => {
  const huge = {
    default: { requests: 2n ** 60n, cents: 123_456_789_012_345_678_901n },
    fallback: { requests: 0n, cents: 0n }
  }
  const status = {
    problems: [],
    isCurrent: true,
    answeredBy: 'gateway-1',
    ...figuresOf(
      { observation: { ...HEALTHY, audit: audit([-1n, -123_456_789_012_345_678_901n]) }, totals: huge, memory: null },
      FEES
    )
  }
  const body = renderStatus(status)
  assert.match(body, /^\{\s+"problems": \[\]/)
  assert.match(body, /"settled": 1234567890123456789\.01,/)
  assert.match(body, /"payments": 1152921504606846976,/)
  assert.match(body, /"amount": -1234567890123456789\.01/)
  const parsed = JSON.parse(body) as { money: Record<string, unknown>; queue: unknown; audit: Record<string, unknown> }
  assert.deepEqual(parsed.queue, status.queue)
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
  assert.deepEqual((differences as { fallback: unknown }).fallback, { payments: 0, amount: 0 })
})

test('what an audit left out is told with the age that it had by then', () => {
  assert.deepEqual(figures({ audit: incompleteAudit(2, 5_000) }).audit?.notCompared, {
    count: 2,
    oldestSentAt: '2026-11-21T08:59:55.000Z',
    oldestSeconds: 5
  })
  assert.deepEqual(figures({ audit: audit([0n, 0n], [0n, 0n], 0) }).audit?.oneByOne, { compared: 40, of: 40 })
})

test('fees are exact, rounded once', () => {
  assert.deepEqual(
    [feeOf(39_800n, 50_000n), feeOf(1n, 500_000n), feeOf(1n, 499_999n), feeOf(0n, 150_000n)],
    [1_990n, 1n, 0n, 0n]
  )
  const { settled, fees, net } = moneyFigures(
    { default: { requests: 0n, cents: 0n }, fallback: { requests: 0n, cents: 0n } },
    FEES
  )
  assert.deepEqual([settled, fees, net], [0n, 0n, 0n])
})

test('words', () => {
  assert.deepEqual([0, 0.42, 12.4, 119, 200, 8_000, 400_000].map(duration), [
    '0.0 s',
    '0.4 s',
    '12 s',
    '119 s',
    '3 min',
    '2 h',
    '4 days'
  ])
  assert.deepEqual(
    [counted(1, 'payment'), counted(1_234, 'payment'), counted(0, 'dead letter waits', 'dead letters wait')],
    ['1 payment', '1,234 payments', '0 dead letters wait']
  )
  assert.deepEqual(
    [listed([]), listed(['a']), listed(['a', 'b']), listed(['a', 'b', 'c'])],
    ['', 'a', 'a and b', 'a, b and c']
  )
  assert.deepEqual([clock('2026-11-21T12:34:56.789Z'), megabytes(58_720_256)], ['12:34:56 UTC', '56.0 MB'])
})
