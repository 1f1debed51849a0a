// Goal: a payment in flight is taken off a processor's sum if, and only if, it is certain that the sum has it; whatever
// is not certain is said to be so; and one that another processor has is wrong.
// Method: records, entries and answers as they come, for one payment that default has on record.
import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import {
  judge,
  mayBeIn,
  mayBeSomeOf,
  paymentOfEntry,
  sentAtMs,
  type Answers
} from '../../processor-worker/commands/audit-in-flight.ts'
import type { LookupOutcome } from '../../processor-worker/outcome.ts'

const RANGE = { fromMs: 1_000, toMs: 2_000 }
const AT_DEFAULT = { choice: { processor: 'default', requestedAtMs: 1_500 } } as const
const ABSENT: LookupOutcome = { kind: 'absent' }
const UNKNOWN: LookupOutcome = { kind: 'unknown', reason: 'status 500' }
const stored = (requestedAtMs = 1_500, amount: unknown = 19.9): LookupOutcome => ({
  kind: 'stored',
  requestedAtMs,
  amount
})
const answers = (byDefault: LookupOutcome, byFallback: LookupOutcome = ABSENT): Answers => ({
  default: byDefault,
  fallback: byFallback
})
const judged = (
  before: Answers,
  after: Answers = before,
  {
    payment = AT_DEFAULT,
    isStillOnRecord = true
  }: { payment?: Parameters<typeof judge>[0]; isStillOnRecord?: boolean } = {}
) => judge(payment, before, after, RANGE, isStillOnRecord)

describe('a payment in flight', () => {
  const BOOKED = [{ processor: 'default', cents: 1_990 }]
  const NOTHING = { booked: [], unclear: [], difference: undefined }

  it('that its processor has before and after is taken off', () => {
    assert.deepEqual(judged(answers(stored())), { ...NOTHING, booked: BOOKED })
  })
  it('is not, if it stands there with a time out of the range', () => {
    for (const requestedAtMs of [999, 2_001]) assert.deepEqual(judged(answers(stored(requestedAtMs))), NOTHING)
    for (const requestedAtMs of [1_000, 2_000]) assert.equal(judged(answers(stored(requestedAtMs))).booked.length, 1)
  })
  it('that nobody has is nothing to take off', () => {
    assert.deepEqual(judged(answers(ABSENT)), NOTHING)
  })
  it('is not clear where it was booked in between, or the answer was none', () => {
    const cases: [LookupOutcome, LookupOutcome][] = [
      [ABSENT, stored()],
      [stored(), ABSENT],
      [UNKNOWN, stored()],
      [stored(), UNKNOWN],
      [ABSENT, UNKNOWN],
      [UNKNOWN, UNKNOWN],
      [stored(1_500), stored(1_501)],
      [stored(1_500, 19.9), stored(1_500, 19.91)],
      [stored(1_500, '19.90'), stored(1_500, '19.90')]
    ]
    for (const [before, after] of cases)
      assert.deepEqual(judged(answers(before), answers(after)), { ...NOTHING, unclear: ['default'] })
    assert.deepEqual(judged(answers(stored(), UNKNOWN)), { ...NOTHING, booked: BOOKED, unclear: ['fallback'] })
  })
  it('that the other processor has is wrong, and stays in that sum', () => {
    assert.deepEqual(judged(answers(ABSENT, stored())), {
      ...NOTHING,
      difference: 'in flight at default, booked at fallback'
    })
    assert.deepEqual(judged(answers(stored(), stored(1))), {
      ...NOTHING,
      booked: BOOKED,
      difference: 'booked at both processors'
    })
    assert.equal(judged(answers(UNKNOWN, stored())).difference, 'in flight at default, booked at fallback')
  })
  it('may have been refused, and gone to the other one, since its record was read', () => {
    assert.deepEqual(judged(answers(ABSENT, stored()), undefined, { isStillOnRecord: false }), {
      ...NOTHING,
      unclear: ['fallback']
    })
    assert.equal(
      judged(answers(stored(), stored()), undefined, { isStillOnRecord: false }).difference,
      'booked at both processors'
    )
  })
  it('whose record is none is taken off wherever it is', () => {
    const payment = { choice: undefined }
    assert.deepEqual(judged(answers(ABSENT, stored()), undefined, { payment }), {
      ...NOTHING,
      booked: [{ processor: 'fallback', cents: 1_990 }]
    })
    assert.equal(judged(answers(stored(), stored()), undefined, { payment }).difference, 'booked at both processors')
  })
})

test('an entry of the queue is a payment, or none', () => {
  const correlationId = 'fa55fc55-b957-4800-8600-b2910fb00042'
  assert.deepEqual(paymentOfEntry(['correlationId', correlationId, 'cents', '4990', 'more', 'x']), {
    correlationId,
    cents: 4_990
  })
  for (const fields of [
    [],
    ['cents', '1'],
    ['correlationId', correlationId],
    ['correlationId', '../admin', 'cents', '1'],
    ['correlationId', correlationId, 'cents', '-1']
  ]) {
    assert.equal(paymentOfEntry(fields), undefined)
  }
})

test('when it was sent is told by its record, or by its entry; and it may be in a range, if nobody tells', () => {
  assert.equal(sentAtMs({ ...AT_DEFAULT, entryId: '7-0' }), 1_500)
  assert.equal(sentAtMs({ choice: undefined, entryId: '1795250982150-3' }), 1_795_250_982_150)
  assert.equal(sentAtMs({ choice: undefined, entryId: 'nonsense' }), null)
  assert.deepEqual(
    [1_499, 1_500, 1_501].map(toMs => mayBeIn({ fromMs: 0, toMs }, AT_DEFAULT.choice)),
    [false, true, true]
  )
  assert.deepEqual(
    [1_499, 1_500, 1_501].map(fromMs => mayBeIn({ fromMs, toMs: 9_999 }, AT_DEFAULT.choice)),
    [true, true, false]
  )
  assert(mayBeIn(RANGE, undefined))
})

test('a processor may have some of the payments that are not clear, and nothing else', () => {
  const may = (cents: number[], requests: bigint, more: bigint) => mayBeSomeOf(cents, { requests, cents: more })
  assert(may([], 0n, 0n) && may([500], 0n, 0n) && may([500], 1n, 500n) && may([500, 300, 100], 2n, 600n))
  assert(
    !may([], 1n, 500n) && !may([], 0n, 1n) && !may([500], 0n, 500n) && !may([500], 1n, 499n) && !may([500], 2n, 1_000n)
  )
  assert(!may([500, 300, 100], 2n, 399n) && !may([500, 300, 100], 2n, 801n) && !may([500], -1n, -500n))
})
