// Goal: what the health monitor publishes about a processor is read back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseHealth, renderHealth } from '../../shared/health.ts'

test('what is published is read back', () => {
  for (const failing of [true, false]) {
    const health = { failing, minResponseTimeMs: 120, checkedAtMs: Date.parse('2026-11-21T08:49:39.278Z') }
    const fields = renderHealth(health)
    assert.deepEqual(fields, {
      failing: String(failing),
      minResponseTimeMs: '120',
      checkedAt: '2026-11-21T08:49:39.278Z'
    })
    assert.deepEqual(parseHealth(fields), health)
  }
})

test('what has expired, or is none, is nothing', () => {
  for (const fields of [{}, { failing: 'true' }, { checkedAt: '2026-11-21T08:49:39.278Z' }])
    assert.equal(parseHealth(fields), undefined)
})
