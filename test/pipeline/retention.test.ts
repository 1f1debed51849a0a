// Goal: a running worker forgets the finer totals by its setting, and whoever asks for more than is kept is told what
// is still exact.
// Method: payments of two days ago and of now are settled by the functions that a worker calls, then a worker that
// forgets soon is started, and a gateway is asked.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createKeys } from '../../shared/keys.ts'
import { createFunctions } from '../../shared/redis/functions.ts'
import { eventually } from '../support/eventually.ts'
import { startGateway } from '../support/gateway.ts'
import { newPayments } from '../support/payments.ts'
import { startProcessor } from '../support/processor/start.ts'
import { startTestRedis } from '../support/redis.ts'
import { startService } from '../support/service.ts'

const { redis, url: REDIS_URL } = await startTestRedis()
const keys = createKeys()
const functions = createFunctions(redis, keys, 24)
const gateway = await startGateway(REDIS_URL)
const processor = await startProcessor({ after })

async function settle(count: number, requestedAtMs: number): Promise<void> {
  await functions.accept(newPayments(count), 100)
  const { payments } = await functions.take('test', { processor: 'default', requestedAtMs }, count)
  await functions.settle('default', payments)
}

async function countIn(query: string): Promise<number> {
  const { body } = await gateway.request('GET', `/payments-summary${query}`)
  return (JSON.parse(body) as { default: { totalRequests: number } }).default.totalRequests
}

test('totals of long ago are exact to the minute, and a range that asks for more gets 400 and what to ask for', async () => {
  await functions.createGroup()
  await settle(3, Date.parse('2026-11-20T13:05:30.500Z'))
  const nowMs = Date.now()
  await settle(20, nowMs)
  const justNow = `?from=${new Date(nowMs).toISOString()}&to=${new Date(nowMs).toISOString()}`
  assert.equal(await countIn('?from=2026-11-20T13:05:30.500Z&to=2026-11-20T13:05:30.500Z'), 3)

  const processors = { DEFAULT_PROCESSOR_URL: processor.url, FALLBACK_PROCESSOR_URL: processor.url }
  startService('processor-worker', { REDIS_URL, ...processors, TOTALS_RETENTION_HOURS: '1' })
  const finer = `${keys.totals('default', 'requests', '')}:2026-11-20T13:05*`
  await eventually('they are forgotten', async () => (await redis.keys(finer)).length === 0)
  const since = await eventually('the totals say since when they are exact', async () => {
    const told = (await redis.get(keys.totalsExactSince)) ?? ''
    return Date.now() - Date.parse(told) < 3_700_000 && told
  })
  assert.equal(await countIn('?from=2026-11-20T13:05:00.000Z&to=2026-11-20T13:05:59.999Z'), 3)
  assert.deepEqual([await countIn(justNow), await countIn('')], [20, 23])

  const wholeMinute = 'a whole minute, such as 2026-11-20T13:05:00.000Z'
  const lastMillisecond = 'the last millisecond of a minute, such as 2026-11-20T13:05:59.999Z'
  for (const [query, field, wanted] of [
    ['?from=2026-11-20T13:05:30.000Z', 'from', wholeMinute],
    ['?from=2026-11-20T13:05:00.000Z&to=2026-11-20T13:06:00.000Z', 'to', lastMillisecond],
    ['?to=2026-11-20T13:06:30.000Z', 'to', lastMillisecond]
  ] as const) {
    const { status, headers, body } = await gateway.request('GET', `/payments-summary${query}`)
    const problem = JSON.parse(body) as { field: string; detail: string }
    assert.deepEqual([status, headers['content-type'], problem.field], [400, 'application/problem+json', field])
    const [, told = ''] = /: before (\S+) the books are exact to the minute\.$/.exec(problem.detail) ?? []
    assert(problem.detail.startsWith(`${field} must be ${wanted}: before `) && told >= since, problem.detail)
  }
})
