// Goal: an attempt proves no more than the processors' contract says it does.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lookupOfAnswer, outcomeOfAnswer, outcomeOfError } from '../../processor-worker/outcome.ts'
import { readAnswer } from '../../health-monitor/poller.ts'
import { preferredOf } from '../../health-monitor/preference.ts'

test('answers to a payment', () => {
  const kindOf = (status: number, body = '{"message":"?"}') => outcomeOfAnswer(status, body).kind
  assert.equal(kindOf(200), 'booked')
  assert.equal(kindOf(422), 'already-booked')
  assert.equal(kindOf(500), 'not-booked')
  // What is wrong with an address, a token or a proxy is not the payment's fault.
  for (const status of [401, 402, 403, 404, 405, 408, 409, 421, 429, 451, 499])
    assert.equal(kindOf(status), 'not-booked', String(status))
  for (const status of [400, 413, 415]) assert.equal(kindOf(status), 'rejected', String(status))
  // These may come from somebody between us and the processor, who knows nothing.
  for (const status of [201, 302, 502, 503, 504]) assert.equal(kindOf(status), 'unknown', String(status))
  for (const body of ['', 'OK', '{"message":"pay', '\u0000\u0001', '1', 'null'])
    assert.equal(kindOf(200, body), 'unknown', body)
})

test('an error proves that nothing is stored only if nothing was written', () => {
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  assert.deepEqual(outcomeOfError(refused, false), { kind: 'not-booked', reason: 'ECONNREFUSED' })
  assert.deepEqual(outcomeOfError(new Error('other side closed'), true), {
    kind: 'unknown',
    reason: 'other side closed'
  })
})

test('answers to a question for a payment', () => {
  const id = '4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3'
  const stored = { correlationId: id.toUpperCase(), amount: 19.9, requestedAt: '2026-11-21T07:48:20.123Z' }
  const kindOf = (status: number, body: unknown) => lookupOfAnswer(status, JSON.stringify(body), id).kind
  assert.deepEqual(lookupOfAnswer(200, JSON.stringify(stored), id), {
    kind: 'stored',
    requestedAtMs: Date.parse(stored.requestedAt),
    amount: 19.9
  })
  assert.equal(kindOf(404, {}), 'absent')
  assert.equal(kindOf(500, stored), 'unknown')
  assert.equal(kindOf(200, { ...stored, correlationId: 'another' }), 'unknown')
  assert.equal(kindOf(200, { ...stored, requestedAt: 'yesterday' }), 'unknown')
  assert.equal(kindOf(200, null), 'unknown')
  assert.equal(lookupOfAnswer(200, '{"correlationId"', id).kind, 'unknown')
})

test('answers to a health poll', () => {
  assert.deepEqual(readAnswer(200, '{"failing":false,"minResponseTime":7}', 5), {
    kind: 'health',
    health: { failing: false, minResponseTimeMs: 7, checkedAtMs: 5 }
  })
  assert.equal(readAnswer(429, '', 5).kind, 'too-early')
  for (const [status, body] of [
    [500, '{}'],
    [200, 'garbage'],
    [200, '{"failing":"no","minResponseTime":7}'],
    [200, 'null'],
    [200, '{"failing":true}']
  ] as const) {
    const result = readAnswer(status, body, 5)
    assert(result.kind === 'trouble' && result.health.failing, body)
  }
})

test('the cheaper processor is preferred while it works, however slow', () => {
  const of = (failing: boolean, minResponseTimeMs = 0) => ({ failing, minResponseTimeMs, checkedAtMs: 0 })
  assert.equal(preferredOf({ default: of(false, 5_000), fallback: of(false) }), 'default')
  assert.equal(preferredOf({ default: of(true), fallback: of(false) }), 'fallback')
  assert.equal(preferredOf({ default: of(true), fallback: of(true) }), 'none')
  assert.equal(preferredOf({ default: undefined, fallback: undefined }), 'default')
  assert.equal(preferredOf({ default: of(true), fallback: undefined }), 'fallback')
})
