// Goal: a payment that was answered with 202 is kept, is paid once, can be asked for on its way, and stands in the
// summary exactly where the processor has it.
// Method: the whole pipeline behind HAProxy. The processors' models keep their own books, with their own code for money
// and time; ours are compared with theirs to the millisecond and the cent.
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { PROCESSOR_NAMES, type Payment, type ProcessorName } from '../../shared/payment.ts'
import { createFunctions } from '../../shared/redis/functions.ts'
import { eventually } from '../support/eventually.ts'
import { cents, newPayment, newPayments, required } from '../support/payments.ts'
import { startTestPipeline } from '../support/pipeline.ts'

const TOKEN = 'a-secret-of-the-test'
const pipeline = await startTestPipeline({
  // A poll that comes late on a busy machine would make a payment go to fallback for which a test asks at default.
  monitors: 0,
  environment: {
    // As long as HAProxy lets it: a Redis that is paused here is not gone.
    gateway: { REDIS_TIMEOUT_MS: '9000', PURGE: 'open', PURGE_TOKEN: TOKEN },
    // 0 ms: what default refuses goes to fallback at once, so that both books fill up.
    worker: { FALLBACK_AFTER_MS: '0' }
  }
})
const { admins, keys, redis, stack } = pipeline

type Status = {
  correlationId: string
  amount: number
  status: string
  processor?: ProcessorName
  requestedAt?: string
}

async function statusOf({ correlationId }: Payment): Promise<Status> {
  const { status, body } = await pipeline.get(`/payments/${correlationId}`)
  assert.equal(status, 200, body)
  return JSON.parse(body) as Status
}

async function untilStatus(payment: Payment, wanted: string): Promise<Status> {
  return await eventually(`the payment is ${wanted}`, async () => {
    const status = await statusOf(payment)
    return status.status === wanted && status
  })
}

/** Stops the worker, so that payments stay queued, until the test resumes it or ends. */
function pauseWorker(): () => void {
  stack.part('worker-1').kill('SIGSTOP')
  const resume = () => stack.part('worker-1').kill('SIGCONT')
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

test('the same id again is a duplicate, or a conflict with another amount, in whatever state and letter case', async () => {
  const resume = pauseWorker()
  const { bookings } = await admins.default.state()
  const payment = newPayment(1_990)
  assert.equal((await pipeline.pay(payment)).status, 202)
  const payAgain = async () => {
    for (const correlationId of [payment.correlationId, payment.correlationId.toUpperCase()]) {
      const { status, body, headers } = await pipeline.pay({ ...payment, correlationId })
      assert.deepEqual([status, body, headers['content-type']], [200, '{"duplicate":true}', 'application/json'])
    }
    const conflict = await pipeline.pay({ ...payment, cents: cents(1_991) })
    assert.deepEqual([conflict.status, conflict.headers['content-type']], [409, 'application/problem+json'])
    assert.equal((JSON.parse(conflict.body) as { field: string }).field, 'amount')
  }
  await payAgain()
  resume()
  assert.equal((await untilStatus(payment, 'settled')).amount, 19.9)
  await payAgain()
  await pipeline.untilSettled()
  assert.equal((await admins.default.state()).bookings, bookings + 1)
})

test('of the same payment sent 50 times at once, one is accepted', async () => {
  const { bookings } = await admins.default.state()
  const payment = newPayment()
  const replies = await Promise.all(Array.from({ length: 50 }, () => pipeline.pay(payment)))
  assert.deepEqual(replies.map(({ status }) => status).sort(), [...Array<number>(49).fill(200), 202])
  await pipeline.untilSettled()
  assert.equal((await admins.default.state()).bookings, bookings + 1)
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
  const stored = await fetch(`${stack.processorUrls.default}/payments/${correlationId}`)
  assert.deepEqual(await stored.json(), { correlationId, amount: 42.42, requestedAt: settled.requestedAt })
})

test("the summary has the form of the contract and equals the processors' own, over any range", async t => {
  const timesMs = await fillBooks()
  const { status, headers, body } = await pipeline.get('/payments-summary')
  assert.deepEqual([status, headers['content-type']], [200, 'application/json'])
  const part = String.raw`\{"totalRequests":\d+,"totalAmount":\d+\.\d\d\}`
  assert.match(body, new RegExp(`^\\{"default":${part},"fallback":${part}\\}$`))

  const all = await pipeline.summary()
  for (const name of PROCESSOR_NAMES) {
    assert(all[name].requests > 500, `${name} has ${all[name].requests} payments`)
    assert.deepEqual(all[name], await ofProcessor(name))
  }

  // Both ends are inclusive to the millisecond: on, just before or just after a payment's own time are where mistakes
  // are.
  const bound = () => new Date(required(timesMs[randomInt(timesMs.length)]) + randomInt(3) - 1).toISOString()
  for (let range = 0; range < 300; range++) {
    const [from = '', to = ''] = [bound(), bound()].sort()
    const ours = await pipeline.summary(`?from=${from}&to=${to}`)
    for (const name of PROCESSOR_NAMES) {
      assert.deepEqual(ours[name], await ofProcessor(name, { from, to }), `${name} ${from} ${to}`)
    }
  }
  t.diagnostic(`${all.default.requests} payments at default, ${all.fallback.requests} at fallback, 300 ranges`)
})

test('a range open at one end counts everything on that side', async () => {
  const all = await pipeline.summary()
  const midMs = Date.now() - 1_000
  const before = await pipeline.summary(`?to=${new Date(midMs - 1).toISOString()}`)
  const since = await pipeline.summary(`?from=${new Date(midMs).toISOString()}`)
  for (const name of PROCESSOR_NAMES) {
    const [one, other] = [before[name], since[name]]
    assert.deepEqual({ requests: one.requests + other.requests, cents: one.cents + other.cents }, all[name])
  }
})

test('an opened purge wants its token, and empties queue, books and the memory of ids', async () => {
  const purge = (authorization?: string) => {
    const headers = authorization === undefined ? {} : { authorization }
    return fetch(`${stack.url}/purge-payments`, { method: 'POST', headers })
  }
  const payment = newPayment()
  await pipeline.pay(payment)
  await pipeline.untilSettled()

  const before = await pipeline.summary()
  for (const wrong of [undefined, '', 'Bearer', TOKEN, `Bearer ${TOKEN.toUpperCase()}`, `Bearer ${TOKEN} x`]) {
    const response = await purge(wrong)
    assert.deepEqual([response.status, response.headers.get('www-authenticate')], [401, 'Bearer'], wrong)
    assert.equal(((await response.json()) as { field: string }).field, 'Authorization')
  }
  assert.equal((await fetch(`${stack.url}/purge-payments`)).headers.get('allow'), 'POST')
  assert.deepEqual(await pipeline.summary(), before)

  // A payment is at the processor while the purge runs.
  const { bookings } = await admins.default.state()
  await admins.default.setHolding(true)
  await pipeline.pay(newPayment())
  await admins.default.until(({ running }) => running === 1)
  assert.equal((await purge(`Bearer ${TOKEN}`)).status, 200)
  assert.deepEqual(await redis.keys(keys.totalsPattern), [])
  assert.equal((await pipeline.get(`/payments/${payment.correlationId}`)).status, 404)

  // What was under way is not counted; what comes afterwards is.
  await admins.default.setHolding(false)
  await admins.default.until(state => state.bookings === bookings + 1)
  assert.equal((await pipeline.pay(newPayment())).status, 202)
  await pipeline.untilSettled()
  assert.deepEqual((await pipeline.summary()).default, { requests: 1, cents: 1_990 })
})

/** A few thousand payments of random amounts, a third of them at fallback; returns times that some of them have. */
async function fillBooks(): Promise<number[]> {
  const payments: Payment[] = []
  const send = async (count: number) => {
    for (let sent = 0; sent < count; sent += 50) {
      const batch = Array.from({ length: 50 }, () => newPayment(randomInt(1, 100_000_000)))
      payments.push(...batch)
      for (const { status } of await Promise.all(batch.map(pipeline.pay))) assert.equal(status, 202)
    }
  }
  await send(1_500)
  await pipeline.untilSettled()
  await admins.default.setFailing(true)
  await send(1_000)
  await pipeline.untilSettled()
  await admins.default.setFailing(false)
  await send(500)
  await pipeline.untilSettled()
  const statuses = await Promise.all(payments.filter((_, index) => index % 10 === 0).map(statusOf))
  return statuses.map(({ requestedAt }) => Date.parse(required(requestedAt)))
}

async function ofProcessor(name: ProcessorName, range?: { from: string; to: string }) {
  const { totalRequests, totalAmount } = await admins[name].summary(range)
  return { requests: totalRequests, cents: Math.round(totalAmount * 100) }
}
