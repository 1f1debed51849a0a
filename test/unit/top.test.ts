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
import { gateway, HEALTHY as OBSERVED, NOW_MS, received, told, withBreaker } from '../support/healthy-system.ts'

const ADDRESS = 'http://localhost:9999'
const HEALTHY = told()
const TROUBLED = told({ reports: withBreaker(['default', 'OPEN']), deadLetterCount: 1 })
const refusing = {
  acceptedPerSecond: 60_000,
  connections: 2_000,
  refusing: { reason: 'The queue is full.', sinceMs: NOW_MS }
}
/** All that can be large is. */
const HUGE = told(
  {
    unsettledCount: 2_000_000,
    inFlightCount: 800,
    oldestAcceptedAtMs: NOW_MS - 400_000_000,
    deadLetterCount: 99_999,
    reports: [
      ...withBreaker(['default', 'OPEN']).filter(({ report }) => report.role !== 'gateway'),
      ...['a'.repeat(64), 'gateway-2'].map(label => received(gateway(label, refusing)))
    ],
    redis: { ...OBSERVED.redis, usedBytes: 4e12, maxBytes: null, canWriteLog: false }
  },
  {
    totals: {
      default: { requests: 2n ** 60n, cents: 123_456_789_012_345_678_901n },
      fallback: { requests: 1n, cents: 1n }
    },
    memory: { queueBytes: 1e12, idsBytes: 1e12, totalsBytes: 1e12 }
  }
)

const viewOf = (status: ReceivedStatus): View => answered(emptyView(ADDRESS), status)
const textOf = (lines: readonly Line[]) => lines.map(({ text }) => text).join('\n')
const drawn = (view: ReceivedStatus | View, columns: number) =>
  textOf(renderView('problems' in view ? viewOf(view) : view, columns))
function assertSays(text: string, patterns: readonly RegExp[]): void {
  for (const pattern of patterns) assert.match(text, pattern)
}

describe('the picture', () => {
  it('of a healthy system fits 80×24 and tells everything', () => {
    let view = emptyView(ADDRESS)
    for (let second = 0; second < 70; second++) view = answered(view, { ...HEALTHY, acceptedPerSecond: second })
    const text = textOf(fitted(renderView(view, 80), { columns: 80, rows: 24 }))
    assertSays(text, [
      /^Payment pipeline {2}http:\/\/localhost:9999 {2}12:00:00 UTC, from gateway-2\nAll is well\.\n/,
      /^accepted +69\/s {2}[▁-█]{60}$/m,
      /^queue +7 unsettled: 4 waiting, 3 in flight, oldest 0\.1 s; 0 dead letters$/m,
      /^in 10 s +1,000 accepted, 0 refused, 4 duplicate; p50 1\.0 ms, p99 8\.0 ms$/m,
      /^default +works +CLOSED +well 2\.0 s ago +2 +45 +90\.0 % +10\.4$/m,
      /^prefer default: default works, and it is the cheaper one; a delay costs no money$/m,
      /^both +21 +408\.00 +21\.40 +386\.60\nall at fallback +61\.20 +346\.80$/m,
      /^audit +none since the books began$/m,
      /^gateway-1 +0\.5 s ago +60\.0 MB +0\.4 +accepts 50\/s, 3 connections$/m,
      /^worker-1 .* has 3, default CLOSED, fallback CLOSED$/m,
      /^monitor-1 .* polls, default well$/m,
      /^redis memory 5\.0 MB of 56\.0 MB, 9 %\n {2}queue 1\.0 MB, ids 2\.0 MB, totals 0\.5 MB, other 1\.5 MB$/m
    ])
    assert.doesNotMatch(text, /…|undefined|null|NaN/)
  })

  it('begins with the problems, in words and not by colour alone', () => {
    const lines = renderView(viewOf(TROUBLED), 80)
    assertSays(textOf(lines), [
      /^Payment.*\n2 PROBLEMS:\n\* The default processor fails: .*\n {2}UTC, 12 s\)\. Payments .*\n {2}.*expensive one\.\n\* 1 dead letter waits/,
      /^default +FAILS +OPEN/m,
      /^worker-1 .* default OPEN for 12 s, fallback CLOSED$/m
    ])
    assert.equal(lines.filter(({ tone }) => tone === 'bad').length, 1 + 3 + 2 + 1)
  })

  it('tells what the last audit compared, and what not', () => {
    const zero = { payments: '0', amount: '0.00' }
    const equal = {
      at: '2026-11-21T09:00:00.000Z',
      ageSeconds: 10_800,
      kind: 'plain',
      until: '2026-11-21T08:59:58.000Z',
      isEqual: true,
      differingPayments: null,
      differences: { default: zero, fallback: zero },
      notCompared: { count: 0, oldestSentAt: null, oldestSeconds: null },
      oneByOne: null
    } as const
    const notCompared = { count: 2, oldestSentAt: '2026-11-21T07:00:00.000Z', oldestSeconds: 7_200 }
    const left = '; not compared: 2 in flight, the oldest for 2 h by then'
    for (const [changes, says] of [
      [{}, 'plain: the books agree'],
      [
        { kind: 'deep', oneByOne: { compared: 40, of: 60 }, notCompared },
        `deep: the books agree in all that was compared, 40 of 60 payments compared one by one${left}`
      ],
      [{ isEqual: false, notCompared }, `plain: THE BOOKS DIFFER${left}`],
      // As a gateway of an older version tells it.
      [{ notCompared: undefined, oneByOne: undefined } as unknown as object, 'plain: the books agree']
    ] as const) {
      const text = drawn({ ...HEALTHY, audit: { ...equal, ...changes } }, 200)
      assert.equal(/^audit.*(?:\n {9}.*)*/m.exec(text)?.[0], `audit    3 h ago, ${says}`)
    }
  })

  it('says that the system is not reached, since when, and of when the figures are', () => {
    const silent = failed(emptyView(ADDRESS), `nothing listens at ${ADDRESS}`, '2026-11-21T12:00:05.000Z')
    assert.match(
      drawn(silent, 200),
      /^Payment.*\nNOT REACHED since 12:00:05 UTC: nothing listens at http:\/\/localhost:9999\. It is tried again every second\.$/
    )
    const once = failed(viewOf(HEALTHY), 'no answer', '2026-11-21T12:00:05.000Z')
    const lost = failed(once, 'no answer', '2026-11-21T12:00:06.000Z')
    const text = drawn(lost, 200)
    assert.match(text, /NOT REACHED since 12:00:05 UTC: .* The figures below are of 12:00:00 UTC, the last that came\./)
    assert.doesNotMatch(text, /All is well/)
    assert.match(drawn(answered(lost, HEALTHY), 200), /All is well/)
    const hasSample = lost.samples.map(sample => sample !== null)
    assert.deepEqual(hasSample, [true, false, false])
  })

  it('marks figures that a gateway has from before Redis went away', () => {
    const problems = ['Redis has not answered (no connection) for 12 s, since 11:59:48 UTC: …']
    const stale = { ...HEALTHY, isCurrent: false, problems }
    assert.match(drawn(stale, 80), /1 PROBLEM; all figures are of 12:00:00 UTC:\n\* Redis has not answered/)
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
          const saysSo = lines.at(-1)?.text.endsWith('more lines: a taller window shows them.')
          assert.equal(saysSo, isCut, `${columns}×${rows}`)
          assert(isCut || rows > 10, 'ten rows hold none of them')
        }
      }
    })
  }

  it('leaves out what Redis was not weighed for, or a gateway of an older version does not tell', () => {
    const older = { ...HEALTHY.redis, memory: undefined } as unknown as ReceivedStatus['redis']
    for (const redis of [{ ...older, memory: null }, older]) {
      const text = drawn({ ...HEALTHY, redis }, 80)
      assert.match(text, /^redis memory 5\.0 MB of 56\.0 MB, 9 %$/m)
      assert.doesNotMatch(text, /ids/)
    }
  })

  it('tells huge numbers exactly', () => {
    assertSays(drawn(HUGE, 120), [
      /^default +1,234,567,890,123,456,789\.01 +61,728,394,506,172,839\.45$/m,
      /2,000,000 unsettled: 1,999,200 waiting, 800 in flight, oldest 4 days; 99,999 dead letters/,
      /REFUSES: The queue is full\./,
      /^redis memory 3814697\.3 MB, no limit, CANNOT WRITE ITS LOG$/m
    ])
    assert.match(drawn(HUGE, 140), /^default +1,152,921,504,606,846,976 +1,234,567,/m)
  })
})

describe('what comes over the wire', () => {
  const body = JSON.stringify({ ...HEALTHY, answeredBy: 'a\x1b[2Jb' }, null, 2).replace(
    '"398.00"',
    '1234567890123456789.10'
  )

  it('keeps the digits of money, and nothing that would move the cursor', () => {
    const status = parseStatus(body)
    assert.equal(status?.processors.default.settled.amount, '1234567890123456789.10')
    assert.deepEqual([status.answeredBy, status.acceptedPerSecond], ['a [2Jb', 100])
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
  for (const [text, shown] of [
    ['9998', 'http://localhost:9998'],
    ['host:9998', 'http://host:9998'],
    ['http://host:9998/', 'http://host:9998'],
    ['https://host', 'https://host'],
    ['http://[::1]:9999', 'http://[::1]:9999'],
    ['unix:/run/g.sock', 'unix:/run/g.sock'],
    ['unix:g.sock', undefined],
    ['http://host/status', undefined],
    ['http://a b', undefined],
    ['', undefined]
  ] as const)
    assert.equal(parseAddress(text)?.shown, shown, text)
  assert.equal(parseAddress('[::1]:9999')?.options.host, '::1')
})

test('layout', () => {
  assert.equal(sparkline([0, 5, null, 10], 60), '▁▅ █')
  assert.deepEqual([sparkline([1, 2], 9), sparkline([1], 60), sparkline([0, 0], 60)], ['', '', '▁▁'])
  assert.equal(sparkline([...Array(60).keys()], 12).length, 12)
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
