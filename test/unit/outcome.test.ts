// Goal: an attempt proves no more than the processors' contract says it does.
// Method: answers and errors as they come, good ones and senseless ones.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lookupOfAnswer, outcomeOfAnswer, outcomeOfError, type SendOutcome } from '../../processor-worker/outcome.ts'
import { readAnswer } from '../../health-monitor/poller.ts'
import { preferredOf } from '../../health-monitor/preference.ts'

test('answers to a payment', () => {
  const kinds: [kind: SendOutcome['kind'], statuses: number[]][] = [
    ['booked', [200]],
    ['already-booked', [422]],
    // What is wrong with an address, a token or a proxy is not the payment's fault.
    ['not-booked', [500, 401, 402, 403, 404, 405, 408, 409, 421, 429, 451, 499]],
    ['rejected', [400, 413, 415]],
    // These may come from somebody between us and the processor, who knows nothing.
    ['unknown', [201, 302, 502, 503, 504]]
  ]
  for (const [kind, statuses] of kinds) {
    for (const status of statuses) assert.equal(outcomeOfAnswer(status, '{"message":"?"}').kind, kind, String(status))
  }
  for (const body of ['', 'OK', '{"message":"pay', '\u0000\u0001', '1', 'null'])
    assert.equal(outcomeOfAnswer(200, body).kind, 'unknown', body)
})

test('an error proves that nothing is stored only if nothing was written', () => {
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  assert.deepEqual(outcomeOfError(refused, false), { kind: 'not-booked', reason: 'ECONNREFUSED' })
  const closed = new Error('other side closed')
  assert.deepEqual(outcomeOfError(closed, true), { kind: 'unknown', reason: 'other side closed' })
})

test('answers to a question for a payment', () => {
  const id = '4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3'
  const stored = { correlationId: id.toUpperCase(), amount: 19.9, requestedAt: '2026-11-21T07:48:20.123Z' }
  const lookup = (status: number, body: unknown) => lookupOfAnswer(status, JSON.stringify(body), id)
  const requestedAtMs = Date.parse(stored.requestedAt)
  assert.deepEqual(lookup(200, stored), { kind: 'stored', requestedAtMs, amount: 19.9 })
  assert.equal(lookup(404, {}).kind, 'absent')
  for (const [status, body] of [
    [500, stored],
    [200, { ...stored, correlationId: 'another' }],
    [200, { ...stored, requestedAt: 'yesterday' }],
    [200, null]
  ] as const)
    assert.equal(lookup(status, body).kind, 'unknown')
  assert.equal(lookupOfAnswer(200, '{"correlationId"', id).kind, 'unknown')
})

test('answers to a health poll', () => {
  const health = { failing: false, minResponseTimeMs: 7, checkedAtMs: 5 }
  assert.deepEqual(readAnswer(200, '{"failing":false,"minResponseTime":7}', 5), { kind: 'health', health })
  assert.equal(readAnswer(429, '', 5).kind, 'too-early')
  const senseless = ['garbage', '{"failing":"no","minResponseTime":7}', 'null', '{"failing":true}']
  for (const result of [readAnswer(500, '{}', 5), ...senseless.map(body => readAnswer(200, body, 5))])
    assert(result.kind === 'trouble' && result.health.failing)
})

test('the cheaper processor is preferred while it works, however slow', () => {
  const [well, failing] = [false, true].map(isFailing => ({ failing: isFailing, minResponseTimeMs: 0, checkedAtMs: 0 }))
  const slow = { failing: false, minResponseTimeMs: 5_000, checkedAtMs: 0 }
  for (const [forDefault, forFallback, preferred] of [
    [slow, well, 'default'],
    [failing, well, 'fallback'],
    [failing, failing, 'none'],
    [undefined, undefined, 'default'],
    [failing, undefined, 'fallback']
  ] as const)
    assert.equal(preferredOf({ default: forDefault, fallback: forFallback }), preferred)
})
