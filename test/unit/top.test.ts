// Goal: npm run top says what the status says, problems first, and fits the window; what it can't reach it says so,
// with the time of the figures that are left.
// Method: statuses as they come over the wire, drawn for windows of several sizes.
import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { parseAddress } from '../../gateway/watching/top/ask.ts'
import { fitted, sparkline, tableLines, wrapped, type Line } from '../../gateway/watching/top/layout.ts'
import { renderView } from '../../gateway/watching/top/render.ts'
import { inOneLine, parseStatus, type ReceivedStatus } from '../../gateway/watching/top/status-json.ts'
import { answered, emptyView, failed, type View } from '../../gateway/watching/top/view.ts'

const LATENCY = { count: 500, meanMs: 1.4, p50Ms: 1.2, p99Ms: 8.04 }
const ANSWERS = { booked: 90, 'already-booked': 0, 'not-booked': 10, rejected: 0, unknown: 0 }
const processor = (
  changes: Partial<ReceivedStatus['processors']['default']> = {}
): ReceivedStatus['processors']['default'] => ({
  verdict: 'works',
  health: { failing: false, minResponseTimeMs: 7, checkedAt: '2026-11-21T11:59:58.000Z', ageSeconds: 2 },
  breakers: [{ worker: 'worker-1', state: 'CLOSED', since: null, openSeconds: null }],
  inFlight: 3,
  successRate: 0.9,
  answers: ANSWERS,
  latency: LATENCY,
  settledPerSecond: 45.5,
  settled: { payments: '39800', amount: '792020.00', fees: '39601.00' },
  ...changes
})
const sign = (label: string) => ({
  name: `${label}-a`,
  label,
  lastSignAt: '2026-11-21T12:00:00.000Z',
  silentSeconds: 0.4,
  isAlive: true,
  startedAt: null,
  process: { eventLoopLagMs: 0.4, residentBytes: 62_914_560, throttledShare: null }
})
const HEALTHY: ReceivedStatus = {
  problems: [],
  isCurrent: true,
  answeredBy: 'gateway-2',
  at: '2026-11-21T12:00:00.000Z',
  processors: {
    default: processor(),
    fallback: processor({
      settledPerSecond: 0,
      successRate: null,
      settled: { payments: '0', amount: '0.00', fees: '0.00' }
    })
  },
  preferred: { processor: 'default', why: 'default works, and it is the cheaper one; a delay costs no money' },
  isPolled: true,
  queue: { unsettled: 7, waiting: 4, inFlight: 3, oldestSeconds: 0.1, oldestWaitingSeconds: null, deadLetters: 0 },
  acceptedPerSecond: 50.25,
  settledPerSecond: 45.5,
  accepting: { answers: { accepted: 500, duplicate: 0, conflict: 0, invalid: 0, refused: 0 }, latency: LATENCY },
  money: {
    settled: '792020.00',
    fees: '39601.00',
    net: '752419.00',
    allOnFallback: { fees: '118803.00', net: '673217.00' }
  },
  gateways: ['gateway-1', 'gateway-2'].map(label => ({
    ...sign(label),
    acceptedPerSecond: 25,
    connections: 3,
    refusing: null
  })),
  workers: [{ ...sign('worker-1'), pending: 3, troubles: [] }],
  totalsExactSince: null,
  audit: null,
  monitors: [
    {
      ...sign('monitor-1'),
      isActive: true,
      polls: { default: { result: 'well', at: '2026-11-21T11:59:58.000Z' }, fallback: null }
    }
  ],
  redis: {
    usedBytes: 5_242_880,
    maxBytes: 58_720_256,
    keepsLog: true,
    canWriteLog: true,
    canRewriteLog: true,
    evictionPolicy: 'noeviction',
    memory: { queueBytes: 104_858, idsBytes: 2_097_152, totalsBytes: 1_048_576, otherBytes: 1_992_294 }
  }
}
const BREAKER_OPEN = { worker: 'worker-1', state: 'OPEN' as const, since: '2026-11-21T11:59:48.000Z', openSeconds: 12 }
const TROUBLED: ReceivedStatus = {
  ...HEALTHY,
  problems: [
    'The default processor fails: its breaker is OPEN at worker-1 since 11:59:48 UTC, 12 s. Payments wait for it for a while, then go to fallback, the dearer one.',
    '1 dead letter waits: payments that both processors refused for good, or entries of the queue that were no payment. `npm run redrive` shows them.'
  ],
  processors: { ...HEALTHY.processors, default: processor({ verdict: 'fails', breakers: [BREAKER_OPEN] }) }
}
/** All that can be large is. */
const HUGE: ReceivedStatus = {
  ...TROUBLED,
  acceptedPerSecond: 123_456,
  queue: { ...HEALTHY.queue, unsettled: 2_000_000, waiting: 1_999_200, oldestSeconds: 400_000, deadLetters: 99_999 },
  processors: {
    default: processor({
      settled: { payments: '1152921504606846976', amount: '1234567890123456789.01', fees: '61728394506172839.45' }
    }),
    fallback: processor()
  },
  money: {
    settled: '1234567890123456789.01',
    fees: '61728394506172839.45',
    net: '1172839495617283949.56',
    allOnFallback: { fees: '185185183518518518.35', net: '1.00' }
  },
  gateways: ['a'.repeat(64), 'gateway-2'].map(label => ({
    ...sign(label),
    acceptedPerSecond: 60_000,
    connections: 2_000,
    refusing: { reason: 'The queue is full.', since: '', answers: 5 }
  })),
  redis: {
    ...HEALTHY.redis,
    usedBytes: 1e12,
    maxBytes: null,
    canWriteLog: false,
    memory: { queueBytes: 1e12, idsBytes: 1e12, totalsBytes: 1e12, otherBytes: 1e12 }
  }
}

const viewOf = (status: ReceivedStatus): View => answered(emptyView('http://localhost:9999'), status)
const textOf = (lines: readonly Line[]) => lines.map(({ text }) => text).join('\n')

describe('the picture', () => {
  it('of a healthy system fits 80×24 and tells everything', () => {
    let view = emptyView('http://localhost:9999')
    for (let second = 0; second < 70; second++) view = answered(view, { ...HEALTHY, acceptedPerSecond: second })
    const text = textOf(fitted(renderView(view, 80), { columns: 80, rows: 24 }))
    assert.match(
      text,
      /^Payment pipeline {2}http:\/\/localhost:9999 {2}12:00:00 UTC, told by gateway-2\nAll is well\.\n/
    )
    assert.match(text, /^accepted +69\/s {2}[▁-█]{60}$/m)
    assert.match(text, /^queue +7 unsettled: 4 waiting, 3 in flight, oldest 0\.1 s; 0 dead letters$/m)
    assert.match(text, /^in 10 s +500 accepted, 0 refused; p50 1\.2 ms, p99 8\.0 ms$/m)
    assert.match(text, /^default +works +CLOSED +well 2\.0 s ago +3 +46 +90\.0 % +8\.0$/m)
    assert.match(text, /^prefer default: default works, and it is the cheaper one; a delay costs no money$/m)
    assert.match(
      text,
      /^both +39,800 +792,020\.00 +39,601\.00 +752,419\.00\nall at fallback +118,803\.00 +673,217\.00$/m
    )
    assert.match(text, /^audit +none since the books began$/m)
    assert.match(text, /^gateway-1 +0\.4 s ago +60\.0 MB +0\.4 +accepts 25\/s, 3 connections$/m)
    assert.match(text, /^worker-1 .* has 3, default CLOSED, fallback CLOSED$/m)
    assert.match(text, /^monitor-1 .* polls, default well$/m)
    assert.match(
      text,
      /^redis memory 5\.0 MB of 56\.0 MB, 9 %\n {2}queue 0\.1 MB, ids 2\.0 MB, totals 1\.0 MB, other 1\.9 MB$/m
    )
    assert.doesNotMatch(text, /…|undefined|null|NaN/)
  })

  it('begins with the problems, in words and not by colour alone', () => {
    const lines = renderView(viewOf(TROUBLED), 80)
    assert.match(
      textOf(lines),
      /^Payment.*\n2 PROBLEMS:\n\* The default processor fails: .*\n {2}UTC, 12 s\. Payments .*\n {2}one\.\n\* 1 dead letter waits/
    )
    assert.equal(lines.filter(({ tone }) => tone === 'bad').length, 1 + 3 + 2 + 1)
    assert.match(textOf(lines), /^default +FAILS +OPEN/m)
    assert.match(textOf(lines), /^worker-1 .* default OPEN for 12 s, fallback CLOSED$/m)
  })

  it('tells what the last audit compared, and what not', () => {
    const told = (changes: Partial<ReceivedStatus['audit'] & object>) => {
      const audit: ReceivedStatus['audit'] = {
        at: '2026-11-21T09:00:00.000Z',
        ageSeconds: 10_800,
        kind: 'plain',
        until: '2026-11-21T08:59:58.000Z',
        isEqual: true,
        differingPayments: null,
        differences: { default: { payments: '0', amount: '0.00' }, fallback: { payments: '0', amount: '0.00' } },
        notCompared: { count: 0, oldestSentAt: null, oldestSeconds: null },
        oneByOne: null,
        ...changes
      }
      return /^audit.*(?:\n {9}.*)*/m.exec(textOf(renderView(viewOf({ ...HEALTHY, audit }), 200)))?.[0]
    }
    const notCompared = { count: 2, oldestSentAt: '2026-11-21T07:00:00.000Z', oldestSeconds: 7_200 }
    assert.equal(told({}), 'audit    3 h ago, plain: the books agree')
    assert.equal(
      told({ kind: 'deep', oneByOne: { compared: 40, of: 60 }, notCompared }),
      'audit    3 h ago, deep: the books agree in all that was compared, 40 of 60 payments compared one by one; not compared: 2 in flight, the oldest for 2 h by then'
    )
    assert.equal(
      told({ isEqual: false, notCompared }),
      'audit    3 h ago, plain: THE BOOKS DIFFER; not compared: 2 in flight, the oldest for 2 h by then'
    )
    // As a gateway of an older version tells it.
    assert.equal(
      told({ notCompared: undefined, oneByOne: undefined } as never),
      'audit    3 h ago, plain: the books agree'
    )
  })

  it('says that the system is not reached, since when, and of when the figures are', () => {
    const silent = failed(
      emptyView('http://localhost:9999'),
      'nothing listens at http://localhost:9999',
      '2026-11-21T12:00:05.000Z'
    )
    assert.match(
      textOf(renderView(silent, 200)),
      /^Payment.*\nNOT REACHED since 12:00:05 UTC: nothing listens at http:\/\/localhost:9999\. It is tried again every second\.$/
    )
    const lost = failed(
      failed(viewOf(HEALTHY), 'no answer', '2026-11-21T12:00:05.000Z'),
      'no answer',
      '2026-11-21T12:00:06.000Z'
    )
    const text = textOf(renderView(lost, 200))
    assert.match(text, /NOT REACHED since 12:00:05 UTC: .* The figures below are of 12:00:00 UTC, the last that came\./)
    assert.doesNotMatch(text, /All is well/)
    assert.match(textOf(renderView(answered(lost, HEALTHY), 200)), /All is well/)
    assert.deepEqual(
      lost.samples.map(sample => sample === null),
      [false, true, true]
    )
  })

  it('marks figures that a gateway has from before Redis went away', () => {
    const stale = {
      ...HEALTHY,
      isCurrent: false,
      problems: ['Redis does not answer (no connection), for 12 s since 11:59:48 UTC: …']
    }
    assert.match(
      textOf(renderView(viewOf(stale), 80)),
      /1 PROBLEM; all figures are of 12:00:00 UTC:\n\* Redis does not answer/
    )
    assert.deepEqual(viewOf(stale).samples, [null])
  })

  for (const columns of [60, 80, 120]) {
    it(`keeps inside ${columns} columns and as many rows as there are, whatever the numbers`, () => {
      for (const status of [HEALTHY, TROUBLED, HUGE]) {
        for (const rows of [10, 24, 100]) {
          const all = renderView(viewOf(status), columns)
          const lines = fitted(all, { columns, rows })
          assert(lines.length <= rows, `${lines.length} lines`)
          for (const { text } of lines) assert(text.length <= columns, text)
          const isCut = all.filter(({ text }) => text !== '').length > rows
          assert.equal(
            lines.at(-1)?.text.endsWith('more lines: a taller window shows them.'),
            isCut,
            `${columns}×${rows}`
          )
          assert(isCut || rows > 10, 'ten rows hold none of them')
        }
      }
    })
  }

  it('leaves out what Redis was not weighed for, or a gateway of an older version does not tell', () => {
    const older = { ...HEALTHY.redis, memory: undefined } as unknown as ReceivedStatus['redis']
    for (const redis of [{ ...older, memory: null }, older]) {
      const text = textOf(renderView(viewOf({ ...HEALTHY, redis }), 80))
      assert.match(text, /^redis memory 5\.0 MB of 56\.0 MB, 9 %$/m)
      assert.doesNotMatch(text, /ids/)
    }
  })

  it('tells huge numbers exactly', () => {
    const text = textOf(renderView(viewOf(HUGE), 120))
    assert.match(text, /^default +1,234,567,890,123,456,789\.01 +61,728,394,506,172,839\.45$/m)
    assert.match(text, /2,000,000 unsettled: 1,999,200 waiting, 3 in flight, oldest 4 days; 99,999 dead letters/)
    assert.match(text, /REFUSES: The queue is full\./)
    assert.match(textOf(renderView(viewOf(HUGE), 140)), /^default +1,152,921,504,606,846,976 +1,234,567,/m)
    assert.match(text, /^redis memory 953674\.3 MB, no limit, CAN NOT WRITE ITS LOG$/m)
  })
})

describe('what comes over the wire', () => {
  const body = JSON.stringify({ ...HEALTHY, answeredBy: 'a\x1b[2Jb' }, null, 2).replace(
    '"792020.00"',
    '1234567890123456789.10'
  )

  it('keeps the digits of money, and nothing that would move the cursor', () => {
    const status = parseStatus(body)
    assert.equal(status?.processors.default.settled.amount, '1234567890123456789.10')
    assert.equal(status.answeredBy, 'a [2Jb')
    assert.equal(status.acceptedPerSecond, 50.25)
  })

  it('is told on one line as it came', () => {
    const line = inOneLine(body)
    assert(!line.includes('\n') && line.includes('"amount":1234567890123456789.10,'))
    assert.deepEqual(JSON.parse(line), JSON.parse(body))
  })

  it('is refused if it is no status', () => {
    for (const text of ['', '<html>', 'null', '7', '{"problems":[]}']) assert.equal(parseStatus(text), undefined, text)
  })
})

test('an address is what people type', () => {
  const shown = (text: string) => parseAddress(text)?.shown
  assert.deepEqual(
    ['9998', 'host:9998', 'http://host:9998/', 'https://host', 'http://[::1]:9999', 'unix:/run/g.sock'].map(shown),
    [
      'http://localhost:9998',
      'http://host:9998',
      'http://host:9998',
      'https://host',
      'http://[::1]:9999',
      'unix:/run/g.sock'
    ]
  )
  assert.equal(parseAddress('[::1]:9999')?.options.host, '::1')
  assert.deepEqual(['unix:g.sock', 'http://host/status', 'http://a b', ''].map(shown), [
    undefined,
    undefined,
    undefined,
    undefined
  ])
})

test('layout', () => {
  assert.equal(sparkline([0, 5, null, 10], 60), '▁▅ █')
  assert.deepEqual([sparkline([1, 2], 9), sparkline([1], 60), sparkline([0, 0], 60)], ['', '', '▁▁'])
  assert.equal(
    sparkline(
      Array.from({ length: 60 }, (_, n) => n),
      12
    ).length,
    12
  )
  assert.deepEqual(wrapped('one two three', 8, '  '), ['one two', '  three'])
  assert.deepEqual(wrapped('abcdefghij', 6, ' '), ['abcde', ' fghij'])
  const columns = [
    { header: 'name', cells: ['a'] },
    { header: 'rest', cells: ['bb'], dropOrder: 2 },
    { header: 'last', cells: ['c'], dropOrder: 1 }
  ]
  assert.deepEqual(tableLines(columns, 16), ['name  rest  last', 'a       bb     c'])
  assert.deepEqual(tableLines(columns, 15), ['name  last', 'a        c'])
  assert.deepEqual(tableLines(columns, 3), ['name', 'a'])
})
