// Goal: what an audit says covers no more than what it compared: nobody reads of all books where something was left
// out.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  conclusionOf,
  renderJson,
  renderReport,
  resultOf,
  type AuditFindings
} from '../../processor-worker/commands/audit-report.ts'
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
const conclusion = (changes: Partial<AuditFindings>) => conclusionOf({ ...FOUND, ...changes })
const unequal = { ...FOUND.processors, default: { ...equal, theirs: NONE } }

test('all books agree only where all was compared', () => {
  assert.equal(conclusion({}), 'All books agree.')
  assert.equal(conclusion({ each: { comparedCount: 40, ofCount: 40, differences: [] } }), 'All books agree.')
  assert.equal(conclusion({ processors: unequal }), 'THE BOOKS DIFFER.')
  assert.equal(
    conclusion({ differences: [{ correlationId: 'id', difference: 'booked at both processors' }] }),
    'THE BOOKS DIFFER.'
  )
})

test('what was left out is told', () => {
  assert.equal(
    conclusion({ inFlight: [inFlight(184_000)] }),
    'The books agree in all that was compared; 1 payment in flight was not: sent at 2026-11-21T11:56:56.000Z, 184 s ago.'
  )
  assert.equal(
    conclusion({ inFlight: [inFlight(3_000), inFlight(184_000)] }),
    'The books agree in all that was compared; 2 payments in flight were not: the oldest was sent at 2026-11-21T11:56:56.000Z, 184 s ago.'
  )
  assert.equal(
    conclusion({ each: { comparedCount: 40, ofCount: 60, differences: [] } }),
    'The books agree in all that was compared; 20 payments were compared in the sums only, not one by one.'
  )
  assert.match(
    conclusion({ inFlight: [inFlight(3_000)], each: { comparedCount: 40, ofCount: 41, differences: [] } }),
    /^The books agree in all that was compared; 1 payment in flight was not: .*; 1 payment was compared in the sums only, not one by one\.$/
  )
  assert.match(
    conclusion({ processors: unequal, inFlight: [inFlight(3_000)] }),
    /^THE BOOKS DIFFER in what was compared; 1 payment in flight was not/
  )
})

test('people and programs are told of each payment in flight what was found of it', () => {
  const unclear = { ...inFlight(5_000), booked: [], unclear: ['default' as const] }
  const findings = {
    ...FOUND,
    inFlight: [inFlight(184_000), unclear, { ...unclear, choice: undefined, payment: undefined, unclear: [] }],
    unsettledCount: 5
  }
  const text = renderReport(findings)
  assert.match(text, /^3 payments in flight were not compared, and are in none of the sums above:$/m)
  assert.match(
    text,
    /^fa55fc55-b957-4800-8600-b2910fb00042 +default +2026-11-21T11:56:56\.000Z +booked at default, not counted yet$/m
  )
  assert.match(text, /no clear answer from default$/m)
  assert.match(text, /^entry \d+-0 +- +- +no payment in the queue$/m)
  assert.match(text, /^2 other accepted payments are not settled yet/m)
  const { notCompared } = JSON.parse(renderJson(findings)) as {
    notCompared: { payments: number; oldestSeconds: number; each: { found: string }[] }
  }
  assert.deepEqual([notCompared.payments, notCompared.oldestSeconds, notCompared.each.length], [3, 184, 3])
})

test('many are not all printed, and --json has them', () => {
  const findings = { ...FOUND, inFlight: Array.from({ length: 70 }, () => inFlight(5_000)) }
  assert.match(renderReport(findings), /^… and 20 more \(--json has them all\)$/m)
  assert.equal((JSON.parse(renderJson(findings)) as { notCompared: { each: unknown[] } }).notCompared.each.length, 70)
})

test('the result tells the age of the oldest, and how many were compared one by one', () => {
  assert.deepEqual(
    resultOf({
      ...FOUND,
      inFlight: [inFlight(3_000), inFlight(184_000)],
      each: { comparedCount: 40, ofCount: 60, differences: [] }
    }),
    {
      atMs: NOW_MS,
      kind: 'deep',
      untilMs: NOW_MS - 2_000,
      differences: { default: { payments: 0n, cents: 0n }, fallback: { payments: 0n, cents: 0n } },
      differingPayments: 0,
      notCompared: { payments: 2, oldestSentAtMs: NOW_MS - 184_000 },
      oneByOne: { compared: 40, of: 60 }
    }
  )
  // A plain audit that meets a payment at the wrong processor tells of it as well.
  const { kind, differingPayments, oneByOne } = resultOf({
    ...FOUND,
    differences: [{ correlationId: 'id', difference: 'in flight at default, booked at fallback' }]
  })
  assert.deepEqual([kind, differingPayments, oneByOne], ['plain', 1, null])
})
