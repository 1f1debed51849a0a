// Goal: a payment that was answered with 202 is kept, is paid once, can be asked for on its way, and stands in the
// summary exactly where the processor has it.
// Method: the whole pipeline behind HAProxy. The processors' models keep their own books, with their own code for money
// and time; ours are compared with theirs to the millisecond and the cent.
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { PROCESSOR_NAMES, type Payment } from '../../shared/payment.ts'
import { createFunctions } from '../../shared/redis/functions.ts'
import { eventually, PATIENCE_MS } from '../support/eventually.ts'
import { cents, newPayment, newPayments, required } from '../support/payments.ts'
import { startTestPipeline, type TestPipeline } from '../support/pipeline.ts'

const pipeline = await startTestPipeline({
  // A poll that comes late on a busy machine would make a payment go to fallback for which a test asks at default.
  monitors: 0,
  environment: {
    // As long as HAProxy lets it: a Redis that is paused here is not gone.
    gateway: { REDIS_TIMEOUT_MS: '9000' },
    // 0 ms: what default refuses goes to fallback at once, so that both books fill up.
    worker: { FALLBACK_AFTER_MS: '0' }
  }
})
const { admins, keys, redis, stack } = pipeline

type Status = {
  correlationId: string
  amount: number
  status: string
  processor?: 'default' | 'fallback'
  requestedAt?: string
}

async function statusOf({ correlationId }: Payment): Promise<Status> {
  const { status, body } = await pipeline.get(`/payments/${correlationId}`)
  assert.equal(status, 200, body)
  return JSON.parse(body) as Status
}

async function untilStatus(payment: Payment, wanted: string): Promise<Status> {
  return await eventually(`the payment is ${wanted}`, PATIENCE_MS, async () => {
    const status = await statusOf(payment)
    return status.status === wanted && status
  })
}

async function storedAt(processor: 'default' | 'fallback', { correlationId }: Payment): Promise<unknown> {
  const response = await fetch(`${stack.processorUrls[processor]}/payments/${correlationId}`)
  assert.equal(response.status, 200)
  return await response.json()
}

/** Stops the worker, so that payments stay queued, until the test resumes it or ends. */
function pauseWorker(): () => void {
  const resume = () => {
    stack.part('worker-1').kill('SIGCONT')
  }
  stack.part('worker-1').kill('SIGSTOP')
  after(resume)
  return resume
}

test('202 comes once Redis has the payment, and not before', async () => {
  const resume = pauseWorker()
  const functions = createFunctions(redis, keys, 24)
  await Promise.all(
    newPayments(100).map(async payment => {
      assert.equal((await pipeline.pay(payment)).status, 202)
      assert.equal((await functions.find(payment.correlationId))?.status, 'queued', 'answered, but not in the queue')
    })
  )

  stack.part('redis').kill('SIGSTOP')
  const payments = newPayments(20)
  let answerCount = 0
  const answers = payments.map(payment =>
    pipeline.pay(payment).finally(() => {
      answerCount += 1
    })
  )
  // Long enough for an answer that does not wait for Redis, far too short for one to give up.
  await sleep(300)
  const earlyCount = answerCount
  stack.part('redis').kill('SIGCONT')
  assert.equal(earlyCount, 0)
  assert.deepEqual(new Set((await Promise.all(answers)).map(({ status }) => status)), new Set([202]))
  resume()
  await pipeline.untilSettled()
})

test('the same id again is a duplicate, in whatever state and letter case, and is paid once', async () => {
  const resume = pauseWorker()
  const { bookings } = await admins.default.state()
  const payment = newPayment(12_345)
  const inCapitals = { ...payment, correlationId: payment.correlationId.toUpperCase() }
  assert.equal((await pipeline.pay(payment)).status, 202)
  const expectDuplicate = async (again: Payment) => {
    const { status, body, headers } = await pipeline.pay(again)
    assert.deepEqual([status, body, headers['content-type']], [200, '{"duplicate":true}', 'application/json'])
  }
  await expectDuplicate(payment)
  await expectDuplicate(inCapitals)
  resume()
  await untilStatus(payment, 'settled')
  await expectDuplicate(payment)
  await expectDuplicate(inCapitals)
  await pipeline.untilSettled()
  assert.equal((await admins.default.state()).bookings, bookings + 1)
})

test('of the same payment sent 50 times at once, one is accepted', async () => {
  const { bookings } = await admins.default.state()
  const payment = newPayment()
  const statuses = (await Promise.all(Array.from({ length: 50 }, () => pipeline.pay(payment)))).map(
    ({ status }) => status
  )
  assert.equal(statuses.filter(status => status === 202).length, 1)
  assert.equal(statuses.filter(status => status === 200).length, 49)
  await pipeline.untilSettled()
  assert.equal((await admins.default.state()).bookings, bookings + 1)
})

test('the same id with another amount is a conflict, before and after it is settled', async () => {
  const resume = pauseWorker()
  const payment = newPayment(1_990)
  assert.equal((await pipeline.pay(payment)).status, 202)
  const expectConflict = async () => {
    const { status, body, headers } = await pipeline.pay({ ...payment, cents: cents(1_991) })
    assert.deepEqual([status, headers['content-type']], [409, 'application/problem+json'])
    const { field } = JSON.parse(body) as { field: string }
    assert.equal(field, 'amount')
  }
  await expectConflict()
  resume()
  await untilStatus(payment, 'settled')
  await expectConflict()
  assert.equal((await statusOf(payment)).amount, 19.9)
})

test('a payment can be asked for on its way: queued, in flight, settled as the processor has it', async () => {
  const resume = pauseWorker()
  await admins.default.setHolding(true)
  const payment = newPayment(4_242)
  const { correlationId } = payment
  assert.equal((await pipeline.get(`/payments/${correlationId}`)).status, 404)
  assert.equal((await pipeline.pay(payment)).status, 202)
  assert.deepEqual(await statusOf(payment), { correlationId, amount: 42.42, status: 'queued' })

  resume()
  const inFlight = await untilStatus(payment, 'in-flight')
  assert.equal(inFlight.processor, 'default')
  await admins.default.setHolding(false)
  const settled = await untilStatus(payment, 'settled')
  assert.deepEqual(settled, { ...inFlight, status: 'settled' })
  assert.deepEqual(await storedAt('default', payment), {
    correlationId,
    amount: 42.42,
    requestedAt: settled.requestedAt
  })
})

test('a payment that both processors refuse for good says so, and is not counted', async () => {
  const before = await pipeline.summary()
  for (const admin of Object.values(admins)) await admin.setFaults([{ kind: 'status', status: 413, next: 1 }])
  const payment = newPayment()
  assert.equal((await pipeline.pay(payment)).status, 202)
  const { correlationId } = payment
  assert.deepEqual(await untilStatus(payment, 'dead-letter'), { correlationId, amount: 19.9, status: 'dead-letter' })
  assert.deepEqual(await pipeline.summary(), before)
})

test('the bounds of a summary are inclusive to the millisecond', async () => {
  // What the test before has paid lies outside of the ranges then.
  await sleep(100)
  const payment = newPayment(77_777)
  await pipeline.pay(payment)
  const requestedAtMs = Date.parse(required((await untilStatus(payment, 'settled')).requestedAt))
  const countIn = async (fromMs: number, toMs: number) => {
    const [from, to] = [fromMs, toMs].map(ms => new Date(ms).toISOString())
    return (await pipeline.summary(`?from=${from}&to=${to}`)).default.requests
  }
  assert.equal(await countIn(requestedAtMs, requestedAtMs), 1)
  assert.equal(await countIn(requestedAtMs - 50, requestedAtMs), 1)
  assert.equal(await countIn(requestedAtMs, requestedAtMs + 1_000), 1)
  assert.equal(await countIn(requestedAtMs - 50, requestedAtMs - 1), 0)
  assert.equal(await countIn(requestedAtMs + 1, requestedAtMs + 1_000), 0)
})

test("the summary has the form of the contract and equals the processors' own, over any range", async t => {
  const { timesMs } = await fillBooks(pipeline)
  const { status, headers, body } = await pipeline.get('/payments-summary')
  assert.deepEqual([status, headers['content-type']], [200, 'application/json'])
  const part = String.raw`\{"totalRequests":\d+,"totalAmount":\d+\.\d\d\}`
  assert.match(body, new RegExp(`^\\{"default":${part},"fallback":${part}\\}$`))

  const all = await pipeline.summary()
  for (const name of PROCESSOR_NAMES) {
    assert(all[name].requests > 500, `${name} has ${all[name].requests} payments`)
    assert.deepEqual(all[name], await ofProcessor(pipeline, name))
  }

  // Ends on, just before or just after a payment's own time are where mistakes are.
  const bound = () => new Date(required(timesMs[randomInt(timesMs.length)]) + randomInt(3) - 1).toISOString()
  for (let range = 0; range < 300; range++) {
    const [from = '', to = ''] = [bound(), bound()].sort()
    const ours = await pipeline.summary(`?from=${from}&to=${to}`)
    for (const name of PROCESSOR_NAMES) {
      assert.deepEqual(ours[name], await ofProcessor(pipeline, name, { from, to }), `${name} ${from} ${to}`)
    }
  }
  t.diagnostic(`${all.default.requests} payments at default, ${all.fallback.requests} at fallback, 300 ranges`)
})

test('a range open at one end counts everything on that side', async () => {
  const all = await pipeline.summary()
  const midMs = Date.now() - 1_000
  const [before, since] = await Promise.all([
    pipeline.summary(`?to=${new Date(midMs - 1).toISOString()}`),
    pipeline.summary(`?from=${new Date(midMs).toISOString()}`)
  ])
  for (const name of PROCESSOR_NAMES) {
    assert.equal(before[name].requests + since[name].requests, all[name].requests)
    assert.equal(before[name].cents + since[name].cents, all[name].cents)
  }
})

test('the purge is closed unless it is opened', async () => {
  const { status } = await fetch(`${stack.url}/purge-payments`, { method: 'POST' })
  assert.equal(status, 404)
  assert.notEqual((await pipeline.summary()).default.requests, 0)
})

test('an opened purge wants its token, and empties queue, books and the memory of ids', async () => {
  const open = await startTestPipeline({
    gateways: 1,
    monitors: 0,
    environment: { gateway: { PURGE: 'open', PURGE_TOKEN: 'a-secret-of-the-test' } }
  })
  const purge = (authorization?: string) =>
    fetch(`${open.stack.url}/purge-payments`, {
      method: 'POST',
      headers: authorization === undefined ? {} : { authorization }
    })
  const payment = newPayment()
  await open.pay(payment)
  await open.untilSettled()

  const token = 'a-secret-of-the-test'
  for (const wrong of [undefined, '', 'Bearer', token, `Bearer ${token.toUpperCase()}`, `Bearer ${token} x`]) {
    const response = await purge(wrong)
    assert.deepEqual([response.status, response.headers.get('www-authenticate')], [401, 'Bearer'], wrong)
    assert.equal(((await response.json()) as { field: string }).field, 'Authorization')
  }
  assert.equal((await fetch(`${open.stack.url}/purge-payments`)).headers.get('allow'), 'POST')
  assert.equal((await open.summary()).default.requests, 1)

  // A payment is at the processor while the purge runs.
  await open.admins.default.setHolding(true)
  await open.pay(newPayment())
  await open.admins.default.until(({ running }) => running === 1)
  assert.equal((await purge('Bearer a-secret-of-the-test')).status, 200)
  assert.deepEqual(await open.redis.keys(open.keys.totalsPattern), [])
  assert.equal((await open.get(`/payments/${payment.correlationId}`)).status, 404)

  // What was under way is not counted; what comes afterwards is.
  await open.admins.default.setHolding(false)
  await open.admins.default.until(({ bookings }) => bookings === 2)
  const next = newPayment()
  assert.equal((await open.pay(next)).status, 202)
  await open.untilSettled()
  assert.deepEqual((await open.summary()).default, { requests: 1, cents: 1_990 })
})

/** A few thousand payments of random amounts, a third of them at fallback; returns times that some of them have. */
async function fillBooks({
  pay,
  untilSettled,
  admins: { default: processor }
}: TestPipeline): Promise<{ timesMs: number[] }> {
  const payments: Payment[] = []
  const send = async (count: number) => {
    for (let sent = 0; sent < count; sent += 50) {
      const batch = Array.from({ length: 50 }, () => newPayment(randomInt(1, 100_000_000)))
      payments.push(...batch)
      for (const { status } of await Promise.all(batch.map(pay))) assert.equal(status, 202)
    }
  }
  await send(1_500)
  await untilSettled()
  await processor.setFailing(true)
  await send(1_000)
  await untilSettled()
  await processor.setFailing(false)
  await send(500)
  await untilSettled()
  const statuses = await Promise.all(payments.filter((_, index) => index % 10 === 0).map(statusOf))
  return { timesMs: statuses.map(({ requestedAt }) => Date.parse(required(requestedAt))) }
}

async function ofProcessor(
  { admins }: TestPipeline,
  name: 'default' | 'fallback',
  range?: { from: string; to: string }
) {
  const { totalRequests, totalAmount } = await admins[name].summary(range)
  return { requests: totalRequests, cents: Math.round(totalAmount * 100) }
}
