// Goal: what an audit says covers no more than what it compared: nobody reads of all books where something was left
// out.
// Method: findings with equal books, and what differs in each case.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  conclusionOf,
  renderJson,
  renderReport,
  resultOf,
  type AuditFindings
} from '../../processor-worker/commands/audit-text.ts'
import { cents } from '../support/payments.ts'

const NOW_MS = Date.parse('2026-11-21T12:00:00.000Z')
const NONE = { requests: 0n, cents: 0n }
const equal = { ours: { requests: 40n, cents: 40_000n }, theirs: { requests: 40n, cents: 40_000n }, takenOff: NONE }
const FOUND: AuditFindings = {
  range: { fromMs: 0, toMs: NOW_MS - 2_000 },
  atMs: NOW_MS,
  processors: { default: equal, fallback: { ours: NONE, theirs: NONE, takenOff: NONE } },
  inFlight: [],
  each: undefined,
  differences: [],
  unsettledCount: 0
}
const inFlight = (agoMs: number): AuditFindings['inFlight'][number] => ({
  entryId: `${NOW_MS - agoMs}-0`,
  choice: { processor: 'default', requestedAtMs: NOW_MS - agoMs },
  payment: { correlationId: 'fa55fc55-b957-4800-8600-b2910fb00042', cents: cents(4_990) },
  booked: [{ processor: 'default', cents: 4_990 }],
  unclear: [],
  difference: undefined
})
const unequal = { ...FOUND.processors, default: { ...equal, theirs: NONE } }
const each = (comparedCount: number, ofCount: number) => ({ comparedCount, ofCount, differences: [] })
const difference = (text: string) => [{ correlationId: 'id', difference: text }]

test('all books agree only where all was compared, and what was left out is told', () => {
  const [AGREE, DIFFER] = ['All books agree.', 'THE BOOKS DIFFER.']
  const partly = 'The books agree in all that was compared;'
  const sent = 'sent at 2026-11-21T11:56:56.000Z, 184 s ago'
  const justSent = 'sent at 2026-11-21T11:59:57.000Z, 3 s ago'
  const cases: [changes: Partial<AuditFindings>, conclusion: string][] = [
    [{}, AGREE],
    [{ each: each(40, 40) }, AGREE],
    [{ processors: unequal }, DIFFER],
    [{ differences: difference('booked at both processors') }, DIFFER],
    [{ inFlight: [inFlight(184_000)] }, `${partly} 1 payment in flight was not: ${sent}.`],
    [
      { inFlight: [inFlight(3_000), inFlight(184_000)] },
      `${partly} 2 payments in flight were not: the oldest was ${sent}.`
    ],
    [{ each: each(40, 60) }, `${partly} 20 payments were compared in the sums only, not one by one.`],
    [
      { inFlight: [inFlight(3_000)], each: each(40, 41) },
      `${partly} 1 payment in flight was not: ${justSent}; 1 payment was compared in the sums only, not one by one.`
    ],
    [
      { processors: unequal, inFlight: [inFlight(3_000)] },
      `THE BOOKS DIFFER in what was compared; 1 payment in flight was not: ${justSent}.`
    ]
  ]
  for (const [changes, conclusion] of cases) assert.equal(conclusionOf({ ...FOUND, ...changes }), conclusion)
})

test('people and programs are told of each payment in flight what was found of it', () => {
  const unclear = { ...inFlight(5_000), booked: [], unclear: ['default' as const] }
  const malformed = { ...unclear, choice: undefined, payment: undefined, unclear: [] }
  const findings = { ...FOUND, inFlight: [inFlight(184_000), unclear, malformed], unsettledCount: 5 }
  const text = renderReport(findings)
  for (const pattern of [
    /^3 payments in flight were not compared, and are in none of the sums above:$/m,
    /^fa55fc55-b957-4800-8600-b2910fb00042 +default +2026-11-21T11:56:56\.000Z +booked at default, not counted yet$/m,
    /no clear answer from default$/m,
    /^entry \d+-0 +- +- +no payment in the queue$/m,
    /^2 other accepted payments are not settled yet/m
  ])
    assert.match(text, pattern)
  const { payments, oldestSeconds, each: all } = notComparedIn(findings)
  assert.deepEqual([payments, oldestSeconds, all.length], [3, 184, 3])
})

test('many are not all printed, and --json has them', () => {
  const findings = { ...FOUND, inFlight: Array.from({ length: 70 }, () => inFlight(5_000)) }
  assert.match(renderReport(findings), /^… and 20 more \(--json has them all\)$/m)
  assert.equal(notComparedIn(findings).each.length, 70)
})

test('the result tells the age of the oldest, and how many were compared one by one', () => {
  const none = { payments: 0n, cents: 0n }
  assert.deepEqual(resultOf({ ...FOUND, inFlight: [inFlight(3_000), inFlight(184_000)], each: each(40, 60) }), {
    atMs: NOW_MS,
    kind: 'deep',
    untilMs: NOW_MS - 2_000,
    differences: { default: none, fallback: none },
    differingPayments: 0,
    notCompared: { payments: 2, oldestSentAtMs: NOW_MS - 184_000 },
    oneByOne: { compared: 40, of: 60 }
  })
  // A plain audit that meets a payment at the wrong processor tells of it as well.
  const differences = difference('in flight at default, booked at fallback')
  const { kind, differingPayments, oneByOne } = resultOf({ ...FOUND, differences })
  assert.deepEqual([kind, differingPayments, oneByOne], ['plain', 1, null])
})

type NotCompared = { payments: number; oldestSeconds: number; each: { found: string }[] }

function notComparedIn(findings: AuditFindings): NotCompared {
  return (JSON.parse(renderJson(findings)) as { notCompared: NotCompared }).notCompared
}
