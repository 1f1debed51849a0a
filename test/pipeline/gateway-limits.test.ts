// Goal: a gateway takes as many payments as its limits say and not one more, tells the others why, and does not grow
// while Redis keeps it waiting.
// Method: one gateway on a real Redis that is frozen (SIGSTOP); nobody works on the queue.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readUsage } from '../../compose/local/usage.ts'
import { createKeys } from '../../shared/keys.ts'
import { eventually, PATIENCE_MS } from '../support/eventually.ts'
import { whileFrozen } from '../support/frozen-redis.ts'
import { startGateway } from '../support/gateway.ts'
import { newPayment, newPayments } from '../support/payments.ts'
import type { Reply } from '../support/pipeline.ts'
import { startTestRedis } from '../support/redis.ts'

const QUEUED_MAX = 1_000
const { redis, url } = await startTestRedis()
const environment = { REDIS_TIMEOUT_MS: '4000', MAX_WAITING_PAYMENTS: '50', MAX_QUEUED_PAYMENTS: String(QUEUED_MAX) }
const gateway = await startGateway(url, environment, 300)
const { queue } = createKeys()

function assertRefused({ status, headers, body }: Reply, detail: RegExp): void {
  assert.deepEqual([status, headers['retry-after']], [503, '1'])
  assert.match((JSON.parse(body) as { detail: string }).detail, detail)
}

async function untilAccepting(): Promise<void> {
  const isAccepted = async () => (await gateway.pay(newPayment())).status === 202
  await eventually('payments are accepted again', PATIENCE_MS, isAccepted)
}

test('no more than MAX_WAITING_PAYMENTS wait for a frozen Redis; the others are refused at once', async () => {
  const inOrder: Reply[] = []
  const send = async (payment: ReturnType<typeof newPayment>) => inOrder.push(await gateway.pay(payment))
  await whileFrozen(redis, () => Promise.all(newPayments(300).map(send)))
  for (const reply of inOrder.slice(0, 250)) assertRefused(reply, /^Too many payments are waiting/)
  for (const reply of inOrder.slice(250)) assertRefused(reply, /can not be reached/)
  await untilAccepting()
})

test('it does not grow while Redis is frozen, however many payments come', async t => {
  const flood = async (count: number) => {
    let sent = 0
    const users = Array.from({ length: 100 }, async () => {
      while (sent++ < count) assertRefused(await gateway.pay(newPayment()), /^\w.*\.$/)
    })
    await Promise.all(users)
  }
  const anonymousBytes = () => readUsage(gateway.pid).anonymousBytes
  const grownBytes = await whileFrozen(redis, async () => {
    await flood(5_000)
    const before = anonymousBytes()
    await flood(10_000)
    return anonymousBytes() - before
  })
  t.diagnostic(`10,000 payments refused, ${(grownBytes / 1e6).toFixed(1)} MB more`)
  assert(grownBytes < 40_000_000, `${grownBytes} bytes`)
  await untilAccepting()
})

test('the queue takes MAX_QUEUED_PAYMENTS and not one more, and knows those it has', async () => {
  const room = QUEUED_MAX - (await redis.xlen(queue))
  assert(room > 0)
  const payments = newPayments(room + 50)
  // Fewer at a time than may wait, so that the queue is the only limit.
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
