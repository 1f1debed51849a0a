// Goal: the record of an attempt is read back as it was written, by whatever version.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  attemptOf,
  isLast,
  parseAttempt,
  renderAttempt,
  type AttemptRecord
} from '../../shared/redis/attempt-record.ts'

const REQUESTED_AT = '2026-11-21T08:49:42.150Z'
const AT_FALLBACK = { processor: 'fallback', requestedAtMs: Date.parse(REQUESTED_AT) } as const

test('what is written is read back', () => {
  const record: fc.Arbitrary<AttemptRecord> = fc.record(
    {
      processor: fc.constantFrom('default', 'fallback'),
      requestedAtMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
      worker: fc.stringMatching(/^[a-z0-9-]+$/),
      attempt: fc.nat(),
      isLast: fc.boolean(),
      isUnresolved: fc.boolean()
    },
    { noNullPrototype: true }
  )
  fc.assert(
    fc.property(record, written => {
      const text = renderAttempt(written)
      assert.deepEqual(parseAttempt(text), written)
      assert.equal(isLast({ record: text }), written.isLast)
    })
  )
})

test('it stands in Redis as people know it', () => {
  const written = { ...AT_FALLBACK, worker: 'worker-1-3353dd8f', attempt: 21, isLast: false, isUnresolved: false }
  const text = `fallback ${REQUESTED_AT} worker-1-3353dd8f #21`
  assert.equal(renderAttempt(written), text)
  assert.equal(renderAttempt({ ...written, isLast: true }), `${text} last`)
  assert.equal(renderAttempt({ ...written, isUnresolved: true }), `${text} unresolved`)
  assert.equal(renderAttempt({ ...written, isLast: true, isUnresolved: true }), `${text} last unresolved`)
})

test('it is read as far as its first two words, whatever follows', () => {
  for (const rest of ['', ' worker-1-a', ' worker-1-a unresolved', ' worker-1-a 3 unresolved of tomorrow']) {
    const { processor, requestedAtMs, attempt, isUnresolved } = attemptOf(`fallback ${REQUESTED_AT}${rest}`)
    assert.deepEqual({ processor, requestedAtMs }, AT_FALLBACK)
    assert.equal(attempt, null)
    assert.equal(isUnresolved, rest.includes('unresolved'))
  }
})

test('what does not say where the payment may be is none', () => {
  for (const record of [
    '',
    'default',
    'default ',
    `elsewhere ${REQUESTED_AT} worker`,
    'default yesterday worker',
    'default 1 worker',
    'default 2026-99-21T08:49:42.150Z w'
  ]) {
    assert.equal(parseAttempt(record), undefined, record)
    assert.throws(() => attemptOf(record), /not a record/)
  }
})
