// Goal: whatever happens to Redis, clients are told within the time-out, no gateway dies or grows, everything works
// again by itself, and no payment that got a 202 is lost.
// Method: the pipeline behind HAProxy while its Redis is killed, frozen (SIGSTOP) and full; a second, small pipeline
// without worker for the limits of one gateway. Each test compares what was accepted with what the processors have.
import assert from 'node:assert/strict'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { Pool } from 'undici'
import { eventually, PATIENCE_MS } from '../support/eventually.ts'
import { newPayment, newPayments } from '../support/payments.ts'
import { bodyOf, startTestPipeline, type Reply, type TestPipeline } from '../support/pipeline.ts'

const REDIS_TIMEOUT_MS = 2_000
/** A loaded machine may take this much longer to tell of it; HAProxy would give up on a gateway after 10 s. */
const LATE_MAX_MS = 7_000
const QUEUED_MAX = 1_000

const pipeline = await startTestPipeline({ environment: { gateway: { REDIS_TIMEOUT_MS: String(REDIS_TIMEOUT_MS) } } })
const small = await startTestPipeline({
  gateways: 1,
  workers: 0,
  monitors: 0,
  processors: { default: 'http://127.0.0.1:9', fallback: 'http://127.0.0.1:9' },
  environment: {
    gateway: { REDIS_TIMEOUT_MS: '8000', MAX_WAITING_PAYMENTS: '50', MAX_QUEUED_PAYMENTS: String(QUEUED_MAX) }
  }
})
for (const { stack } of [pipeline, small]) {
  void stack.crashed.then(crash => {
    assert.fail(`a part crashed: ${JSON.stringify(crash)}`)
  })
}
const processIds = pidsOf(pipeline)

/** Payments that got 2xx; each of them must be settled in the end. */
const acceptedIds = new Set<string>()

async function payOne(): Promise<Reply> {
  const payment = newPayment()
  const reply = await pipeline.pay(payment)
  if (reply.status === 202) acceptedIds.add(payment.correlationId)
  return reply
}

function pidsOf({ stack }: TestPipeline): Record<string, number | undefined> {
  const services = [...stack.parts.values()].filter(part => part.name !== 'redis')
  return Object.fromEntries(services.map(part => [part.name, part.pid]))
}

function assertUnavailable({ status, headers, body }: Reply, detail?: RegExp): void {
  assert.equal(status, 503, body)
  assert.equal(headers['content-type'], 'application/problem+json')
  assert.equal(headers['retry-after'], '1')
  const problem = JSON.parse(body) as Record<string, unknown>
  assert.deepEqual([problem.type, problem.title, problem.status], ['about:blank', 'Service Unavailable', 503])
  assert.match(String(problem.detail), detail ?? /^\w.*\.$/)
}

/** Asks several times at once, because the gateways notice one after the other. */
async function untilHealthIs(wanted: 200 | 503): Promise<void> {
  await eventually(`/health says ${wanted}`, PATIENCE_MS, async () => {
    const replies = await Promise.all(Array.from({ length: 10 }, () => pipeline.get('/health')))
    return replies.every(({ status }) => status === wanted)
  })
}

/** Everything answers 503 and says how; each within the time-out and some more. */
async function assertAllUnavailable(): Promise<void> {
  await untilHealthIs(503)
  const startedAtMs = performance.now()
  const replies = await Promise.all([
    ...newPayments(20).map(payment => pipeline.pay(payment)),
    pipeline.get('/payments-summary'),
    pipeline.get(`/payments/${newPayment().correlationId}`),
    pipeline.get('/health')
  ])
  const tookMs = performance.now() - startedAtMs
  assert(tookMs < REDIS_TIMEOUT_MS + LATE_MAX_MS, `${tookMs} ms`)
  replies.forEach(reply => {
    assertUnavailable(reply)
  })
}

/**
 * Payments are accepted and settled again, all accepted so far are at a processor, and every process is still the same.
 */
async function assertRecovered(): Promise<void> {
  await untilHealthIs(200)
  assert.equal((await payOne()).status, 202)
  await pipeline.untilSettled()
  const { default: atDefault, fallback } = await pipeline.summary()
  const [defaultBooks, fallbackBooks] = await Promise.all([
    pipeline.admins.default.summary(),
    pipeline.admins.fallback.summary()
  ])
  assert.deepEqual([atDefault.requests, fallback.requests], [defaultBooks.totalRequests, fallbackBooks.totalRequests])
  for (const correlationId of acceptedIds) {
    const { body } = await pipeline.get(`/payments/${correlationId}`)
    assert.equal((JSON.parse(body) as { status: string }).status, 'settled')
  }
  assert.deepEqual(pidsOf(pipeline), processIds)
}

test('Redis killed: 503 at once, and back by itself with everything that was accepted', async () => {
  const redis = pipeline.stack.part('redis')
  // Payments are in flight and on their way into the queue at the moment of the kill, and their answers come without
  // Redis.
  await pipeline.admins.default.setHolding(true)
  await Promise.all(Array.from({ length: 200 }, payOne))
  await pipeline.admins.default.until(({ running }) => running > 0)
  const underWay = Array.from({ length: 50 }, payOne)
  redis.kill('SIGKILL')
  await redis.exited
  await pipeline.admins.default.setHolding(false)
  await Promise.all(underWay)
  await assertAllUnavailable()

  await redis.start()
  await assertRecovered()
})

test('Redis frozen: 503 after the time-out, then at once; it may take what it was sent', async () => {
  const redis = pipeline.stack.part('redis')
  await Promise.all(Array.from({ length: 50 }, payOne))
  // The gateway's own question after Redis, for a check by HAProxy, may be what finds out, so the time counts from
  // here.
  const frozenAtMs = performance.now()
  redis.kill('SIGSTOP')
  after(() => {
    redis.kill('SIGCONT')
  })
  const payment = newPayment()
  const reply = await pipeline.pay(payment)
  const waitedMs = performance.now() - frozenAtMs
  assertUnavailable(reply, /may have been kept/)
  assert(waitedMs >= REDIS_TIMEOUT_MS - 50 && waitedMs < REDIS_TIMEOUT_MS + LATE_MAX_MS, `${waitedMs} ms`)
  await assertAllUnavailable()

  redis.kill('SIGCONT')
  await assertRecovered()
  // Whether it was kept or not: sent again, it is paid once.
  assert([200, 202].includes((await pipeline.pay(payment)).status))
  await pipeline.untilSettled()
})

test('Redis full: payments get 503, what is queued is settled, and reading works', async () => {
  await pipeline.admins.default.setHolding(true)
  const replies = await Promise.all(Array.from({ length: 100 }, payOne))
  assert(replies.every(({ status }) => status === 202))
  await pipeline.redis.config('SET', 'maxmemory', '1mb')
  assertUnavailable(await payOne(), /out of memory/)
  assert.equal((await pipeline.get('/payments-summary')).status, 200)
  // A full Redis is no reason to take the gateways out of the balancer: they still answer everything else.
  assert.equal((await pipeline.get('/health')).status, 200)
  await pipeline.admins.default.setHolding(false)
  await pipeline.untilSettled()
  assertUnavailable(await payOne(), /out of memory/)

  await pipeline.redis.config('SET', 'maxmemory', '0')
  await assertRecovered()
})

test('Redis loses its functions: nobody notices', async () => {
  await pipeline.redis.call('FUNCTION', 'FLUSH')
  const replies = await Promise.all(Array.from({ length: 50 }, payOne))
  assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([202]))
  await assertRecovered()
})

test('no more than MAX_WAITING_PAYMENTS wait for a frozen Redis; the others are refused at once', async () => {
  const redis = small.stack.part('redis')
  redis.kill('SIGSTOP')
  after(() => {
    redis.kill('SIGCONT')
  })
  const inOrder: Reply[] = []
  await Promise.all(
    newPayments(300).map(async payment => {
      inOrder.push(await small.pay(payment))
    })
  )
  for (const reply of inOrder.slice(0, 250)) assertUnavailable(reply, /^Too many payments are waiting/)
  for (const reply of inOrder.slice(250)) assertUnavailable(reply, /can not be reached/)
  redis.kill('SIGCONT')
  await eventually(
    'payments are accepted again',
    PATIENCE_MS,
    async () => (await small.pay(newPayment())).status === 202
  )
})

test('a gateway does not grow while Redis is frozen, however many payments come', async t => {
  const redis = small.stack.part('redis')
  const gateway = small.stack.part('gateway-1')
  // Past HAProxy, which would answer for the gateway as soon as it finds it in trouble.
  const client = new Pool('http://gateway', {
    socketPath: join(dirname(small.stack.redisPath), 'gateway-1.sock'),
    connections: 100
  })
  after(() => client.destroy())
  const flood = async (count: number) => {
    let sent = 0
    const users = Array.from({ length: 100 }, async () => {
      while (sent++ < count) {
        const {
          statusCode: status,
          headers,
          body
        } = await client.request({
          method: 'POST',
          path: '/payments',
          headers: { 'content-type': 'application/json' },
          body: bodyOf(newPayment())
        })
        assertUnavailable({ status, headers, body: await body.text() })
      }
    })
    await Promise.all(users)
  }
  redis.kill('SIGSTOP')
  await flood(5_000)
  const before = gateway.usage().anonymousBytes
  const startedAtMs = performance.now()
  await flood(10_000)
  const tookMs = performance.now() - startedAtMs
  const grownBytes = gateway.usage().anonymousBytes - before
  redis.kill('SIGCONT')
  t.diagnostic(`10,000 payments refused in ${tookMs.toFixed(0)} ms, ${(grownBytes / 1e6).toFixed(1)} MB more`)
  assert(grownBytes < 40_000_000, `${grownBytes} bytes`)
  await eventually(
    'payments are accepted again',
    PATIENCE_MS,
    async () => (await small.pay(newPayment())).status === 202
  )
})

test('the queue takes MAX_QUEUED_PAYMENTS and not one more, and knows those it has', async () => {
  const room = QUEUED_MAX - (await small.redis.xlen(small.keys.queue))
  assert(room > 0)
  const payments = newPayments(room + 50)
  // Fewer at a time than may wait, so that the queue is the only limit.
  const replies: Reply[] = []
  for (let sent = 0; sent < payments.length; sent += 25) {
    replies.push(...(await Promise.all(payments.slice(sent, sent + 25).map(payment => small.pay(payment)))))
  }
  assert.equal(replies.filter(({ status }) => status === 202).length, room)
  for (const reply of replies.filter(({ status }) => status !== 202)) assertUnavailable(reply, /^The queue is full/)
  assert.equal(await small.redis.xlen(small.keys.queue), QUEUED_MAX)

  const accepted = payments.filter((_, index) => replies[index]?.status === 202)
  for (const payment of accepted.slice(0, 10)) assert.equal((await small.pay(payment)).status, 200)
  assert.equal((await small.get('/health')).status, 200)
})
