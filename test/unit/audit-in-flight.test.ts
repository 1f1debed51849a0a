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
import type { ProcessorName } from '../../shared/payment.ts'

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
const judged = (before: Answers, after = before) => judge(AT_DEFAULT, before, after, RANGE, true)

describe('a payment in flight', () => {
  const NOTHING = { booked: [], unclear: [], difference: undefined }
  const at = (processor: ProcessorName) => ({ ...NOTHING, booked: [{ processor, cents: 1_990 }] })
  const AT_BOTH = 'booked at both processors'
  const ELSEWHERE = 'in flight at default, booked at fallback'

  it('that its processor has before and after is taken off', () =>
    assert.deepEqual(judged(answers(stored())), at('default')))
  it('is not, if it stands there with a time out of the range', () => {
    for (const requestedAtMs of [999, 2_001]) assert.deepEqual(judged(answers(stored(requestedAtMs))), NOTHING)
    for (const requestedAtMs of [1_000, 2_000]) assert.deepEqual(judged(answers(stored(requestedAtMs))), at('default'))
  })
  it('that nobody has is nothing to take off', () => assert.deepEqual(judged(answers(ABSENT)), NOTHING))
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
    assert.deepEqual(judged(answers(stored(), UNKNOWN)), { ...at('default'), unclear: ['fallback'] })
  })
  it('that the other processor has is wrong, and stays in that sum', () => {
    assert.deepEqual(judged(answers(ABSENT, stored())), { ...NOTHING, difference: ELSEWHERE })
    assert.deepEqual(judged(answers(stored(), stored(1))), { ...at('default'), difference: AT_BOTH })
    assert.equal(judged(answers(UNKNOWN, stored())).difference, ELSEWHERE)
  })
  it('may have been refused, and gone to the other one, since its record was read', () => {
    const left = (given: Answers) => judge(AT_DEFAULT, given, given, RANGE, false)
    assert.deepEqual(left(answers(ABSENT, stored())), { ...NOTHING, unclear: ['fallback'] })
    assert.equal(left(answers(stored(), stored())).difference, AT_BOTH)
  })
  it('whose record is none is taken off wherever it is', () => {
    const unrecorded = (given: Answers) => judge({ choice: undefined }, given, given, RANGE, true)
    assert.deepEqual(unrecorded(answers(ABSENT, stored())), at('fallback'))
    assert.equal(unrecorded(answers(stored(), stored())).difference, AT_BOTH)
  })
})

test('an entry of the queue is a payment, or none', () => {
  const id = ['correlationId', 'fa55fc55-b957-4800-8600-b2910fb00042']
  const payment = { correlationId: id[1], cents: 4_990 }
  assert.deepEqual(paymentOfEntry([...id, 'cents', '4990', 'more', 'x']), payment)
  const malformed = [[], ['cents', '1'], id, ['correlationId', '../admin', 'cents', '1'], [...id, 'cents', '-1']]
  for (const fields of malformed) assert.equal(paymentOfEntry(fields), undefined)
})

test('when it was sent stands in its record, else in its entry; where neither has it, it may be in any range', () => {
  assert.equal(sentAtMs({ ...AT_DEFAULT, entryId: '7-0' }), 1_500)
  assert.equal(sentAtMs({ choice: undefined, entryId: '1795250982150-3' }), 1_795_250_982_150)
  assert.equal(sentAtMs({ choice: undefined, entryId: 'nonsense' }), null)
  const around = [1_499, 1_500, 1_501]
  const until = around.map(toMs => mayBeIn({ fromMs: 0, toMs }, AT_DEFAULT.choice))
  assert.deepEqual(until, [false, true, true])
  const from = around.map(fromMs => mayBeIn({ fromMs, toMs: 9_999 }, AT_DEFAULT.choice))
  assert.deepEqual(from, [true, true, false])
  assert(mayBeIn(RANGE, undefined))
})

test('a processor may have some of the payments that are not clear, and nothing else', () => {
  for (const [unclear, requests, cents, may] of [
    [[], 0n, 0n, true],
    [[500], 0n, 0n, true],
    [[500], 1n, 500n, true],
    [[500, 300, 100], 2n, 600n, true],
    [[], 1n, 500n, false],
    [[], 0n, 1n, false],
    [[500], 0n, 500n, false],
    [[500], 1n, 499n, false],
    [[500], 2n, 500n, false],
    [[500], 2n, 1_000n, false],
    [[500, 300, 100], 2n, 399n, false],
    [[500, 300, 100], 2n, 801n, false],
    [[500], -1n, -500n, false]
  ] as const)
    assert.equal(mayBeSomeOf(unclear, { requests, cents }), may, `${requests} of ${unclear.join()}: ${cents}`)
})
