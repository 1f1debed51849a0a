// Goal: a running worker forgets the finer totals by its setting, and whoever asks for more than is kept is told what
// is still exact. Method: the real pipeline, into which payments of two days ago are settled by the functions that a
// worker calls.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createFunctions } from '../../shared/redis/functions.ts'
import { eventually, PATIENCE_MS, STUCK_AFTER_MS } from '../support/eventually.ts'
import { newPayments } from '../support/payments.ts'
import { startTestPipeline } from '../support/pipeline.ts'

const pipeline = await startTestPipeline({ monitors: 0, environment: { worker: { TOTALS_RETENTION_HOURS: '1' } } })
const { redis, keys, stack } = pipeline
const functions = createFunctions(redis, keys, 24)

describe('totals of long ago', { timeout: STUCK_AFTER_MS }, () => {
  it('are exact to the minute, and a range that asks for more gets 400 and what to ask for instead', async () => {
    await stack.part('worker-1').stop()
    const bookedAtMs = Date.parse('2026-11-20T13:05:30.500Z')
    await functions.accept(newPayments(3), 100)
    const { payments } = await functions.take('test', { processor: 'default', requestedAtMs: bookedAtMs }, 3)
    await functions.settle('default', payments)
    assert.equal(
      (await pipeline.summary('?from=2026-11-20T13:05:30.500Z&to=2026-11-20T13:05:30.500Z')).default.requests,
      3
    )

    await stack.part('worker-1').start()
    await eventually(
      'the finer levels are forgotten',
      PATIENCE_MS,
      async () => (await redis.keys(`${keys.totals('default', 'requests', '')}:2026-11-20T13:05*`)).length === 0
    )
    const [since] = await eventually('the totals say since when they are exact', PATIENCE_MS, async () => {
      const told = (await redis.get(keys.totalsExactSince)) ?? ''
      return Date.now() - Date.parse(told) < 3_700_000 && [told]
    })
    assert.equal(
      (await pipeline.summary('?from=2026-11-20T13:05:00.000Z&to=2026-11-20T13:05:59.999Z')).default.requests,
      3
    )
    assert.equal((await pipeline.summary()).default.requests, 3)
    const answers = [
      ['?from=2026-11-20T13:05:30.000Z', 'from', 'a whole minute, such as 2026-11-20T13:05:00.000Z'],
      [
        '?from=2026-11-20T13:05:00.000Z&to=2026-11-20T13:06:00.000Z',
        'to',
        'the last millisecond of a minute, such as 2026-11-20T13:05:59.999Z'
      ],
      ['?to=2026-11-20T13:06:30.000Z', 'to', 'the last millisecond of a minute, such as 2026-11-20T13:05:59.999Z']
    ] as const
    for (const [query, field, wanted] of answers) {
      const { status, headers, body } = await pipeline.get(`/payments-summary${query}`)
      assert.deepEqual([status, headers['content-type']], [400, 'application/problem+json'])
      const problem = JSON.parse(body) as { field: string; detail: string }
      assert.equal(problem.field, field)
      assert(problem.detail.startsWith(`${field} must be ${wanted}: before `), problem.detail)
      const told = /before (\S+) the books are exact to the minute\.$/.exec(problem.detail)?.[1] ?? ''
      assert(told >= since)
    }
  })

  it('are as before for what is new', async () => {
    const from = new Date(Date.now() - 15_000).toISOString()
    await Promise.all(newPayments(20).map(pipeline.pay))
    await pipeline.untilSettled()
    assert.equal((await pipeline.summary(`?from=${from}&to=${new Date().toISOString()}`)).default.requests, 20)
  })
})
