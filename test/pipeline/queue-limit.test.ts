// Goal: a gateway takes as many payments as the queue may hold and not one more, and tells the others why.
// Method: one gateway on a real Redis; nobody works on the queue.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeys } from '../../shared/keys.ts'
import { startGateway } from '../support/gateway.ts'
import { newPayments } from '../support/payments.ts'
import type { Reply } from '../support/pipeline.ts'
import { startTestRedis } from '../support/redis.ts'

const QUEUED_MAX = 1_000
const { redis, url } = await startTestRedis()
const gateway = await startGateway(url, { MAX_QUEUED_PAYMENTS: String(QUEUED_MAX) })
const { queue } = createKeys()

function assertRefused({ status, headers, body }: Reply, detail: RegExp): void {
  assert.deepEqual([status, headers['retry-after']], [503, '1'])
  assert.match((JSON.parse(body) as { detail: string }).detail, detail)
}

test('the queue takes MAX_QUEUED_PAYMENTS and not one more, and knows those it has', async () => {
  const room = QUEUED_MAX - (await redis.xlen(queue))
  assert(room > 0)
  const payments = newPayments(room + 50)
  const replies: Reply[] = []
  for (let sent = 0; sent < payments.length; sent += 25) {
    replies.push(...(await Promise.all(payments.slice(sent, sent + 25).map(gateway.pay))))
  }
  const accepted = payments.filter((_, index) => replies[index]?.status === 202)
  assert.equal(accepted.length, room)
  for (const reply of replies.filter(({ status }) => status !== 202)) assertRefused(reply, /^The queue is full/)
  assert.equal(await redis.xlen(queue), QUEUED_MAX)
  for (const payment of accepted.slice(0, 10)) assert.equal((await gateway.pay(payment)).status, 200)
  assert.equal((await gateway.request('GET', '/health')).status, 200)
})
