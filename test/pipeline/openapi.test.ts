// Goal: what the server answers is what docs/openapi.yaml says: each status is listed there for its path, with its
// content type, its headers and a body that its schema accepts.
// Method: real pipelines, one with an open and one with a closed door, are asked for whatever can be provoked. At the
// end each documented status has been seen, but for those that only a broken gateway or a slow client gets.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { Client } from 'undici'
import { eventually, PATIENCE_MS } from '../support/eventually.ts'
import { readOpenApi, type Answer } from '../support/openapi.ts'
import { newPayment } from '../support/payments.ts'
import { bodyOf, startTestPipeline, type TestPipeline } from '../support/pipeline.ts'
import { sendRaw } from '../support/raw-http.ts'

const TOKEN = 'a-token-of-the-test'
const nobody = 'http://127.0.0.1:9'

const api = readOpenApi()
const open = await startTestPipeline({
  environment: { gateway: { PURGE: 'open', PURGE_TOKEN: TOKEN, REDIS_TIMEOUT_MS: '500' } }
})
const closed = await startTestPipeline({
  gateways: 1,
  workers: 0,
  monitors: 0,
  processors: { default: nobody, fallback: nobody },
  environment: { gateway: { STATUS: 'closed', MAX_QUEUED_PAYMENTS: '1' } }
})
/** "post /payments 202" and so on. */
const seen = new Set<string>()

type Wanted = {
  method?: 'GET' | 'POST' | 'DELETE'
  path: string
  template?: string
  headers?: Record<string, string>
  body?: string
}

/** Asks, and compares the answer with the document. */
async function ask(
  { stack }: TestPipeline,
  status: number,
  { method = 'GET', path, template, headers = {}, body }: Wanted
): Promise<Answer> {
  const client = new Client(stack.url)
  try {
    const reply = await client.request({ method, path, headers, ...(body !== undefined && { body }) })
    const answer = { status: reply.statusCode, headers: reply.headers, body: await reply.body.text() }
    assert.equal(answer.status, status, answer.body)
    check(method, template ?? path.replace(/\?.*/, ''), answer)
    return answer
  } finally {
    await client.destroy()
  }
}

function check(method: string, template: string, answer: Answer): void {
  assert.deepEqual(api.mismatches(method.toLowerCase(), template, answer), [], `${method} ${template}: ${answer.body}`)
  // A method that is not allowed is documented at the one that is.
  const item = Object.keys(api.document.paths[template] ?? {})
  const documented = [method.toLowerCase(), 'get', 'post'].find(name => item.includes(name))
  seen.add(`${documented ?? method} ${template} ${answer.status}`)
}

const json = { 'content-type': 'application/json' }
const pay = (pipeline: TestPipeline, status: number, body: string, headers: Record<string, string> = json) =>
  ask(pipeline, status, { method: 'POST', path: '/payments', headers, body })
const find = (pipeline: TestPipeline, status: number, id: string) =>
  ask(pipeline, status, { path: `/payments/${id}`, template: '/payments/{correlationId}' })
const purge = (pipeline: TestPipeline, status: number, headers: Record<string, string> = {}) =>
  ask(pipeline, status, { method: 'POST', path: '/purge-payments', headers })

describe('docs/openapi.yaml describes', () => {
  it('POST /payments', async () => {
    const payment = newPayment(4_990)
    await pay(open, 202, bodyOf(payment))
    await pay(open, 200, bodyOf(payment))
    await pay(open, 409, bodyOf({ ...payment, cents: newPayment(5_000).cents }))
    await pay(open, 400, '{"amount":1.999}')
    await pay(open, 400, 'no JSON')
    await pay(open, 413, ' '.repeat(5_000))
    await pay(open, 415, bodyOf(payment), { 'content-type': 'text/plain' })
    await pay(open, 415, bodyOf(payment), { ...json, 'content-encoding': 'gzip' })
  })

  it('GET /payments/{correlationId}, whatever became of the payment', async () => {
    const settled = newPayment()
    await pay(open, 202, bodyOf(settled))
    await open.untilSettled()
    assert.match((await find(open, 200, settled.correlationId)).body, /"status":"settled","processor":/)
    const queued = newPayment()
    await pay(closed, 202, bodyOf(queued))
    assert.match((await find(closed, 200, queued.correlationId)).body, /"status":"queued"/)
    await find(open, 404, randomUUID())
    await find(open, 400, 'no-id')
  })

  it('a payment that is in flight', async () => {
    const { default: atDefault } = open.admins
    await atDefault.setHolding(true)
    const payment = newPayment()
    await pay(open, 202, bodyOf(payment))
    await atDefault.until(({ running }) => running > 0)
    assert.match((await find(open, 200, payment.correlationId)).body, /"status":"in-flight","processor":"default"/)
    await ask(open, 200, { path: '/status' })
    await atDefault.setHolding(false)
    await open.untilSettled()
  })

  it('GET /payments-summary', async () => {
    assert.match((await ask(open, 200, { path: '/payments-summary' })).body, /"totalRequests":[1-9]/)
    await ask(open, 200, { path: '/payments-summary?from=2026-11-21T08:00:00.000Z&to=2026-11-21T09:00:00Z' })
    await ask(open, 200, { path: '/payments-summary?from=&to=' })
    await ask(open, 400, { path: '/payments-summary?from=yesterday' })
    await ask(open, 400, { path: '/payments-summary?from=2026-11-21T09:00:00Z&to=2026-11-21T08:00:00Z' })
  })

  it('a summary whose milliseconds are forgotten', async () => {
    await open.redis.set(open.keys.totalsExactSince, '2026-11-21T09:00:00.000Z')
    const { body } = await ask(open, 400, { path: '/payments-summary?from=2026-11-21T08:00:00.001Z' })
    assert.match(body, /the books are exact to the minute/)
    await ask(open, 200, { path: '/payments-summary?from=2026-11-21T08:00:00.000Z' })
    await open.redis.del(open.keys.totalsExactSince)
  })

  it('GET /health, /status and /dashboard', async () => {
    await ask(open, 200, { path: '/health' })
    const { body } = await ask(open, 200, { path: '/status' })
    const status = JSON.parse(body) as { gateways: unknown[]; workers: unknown[]; monitors: unknown[] }
    // So that the schema has judged one of each.
    for (const list of [status.gateways, status.workers, status.monitors]) assert(list.length > 0, body)
    await ask(open, 200, { path: '/dashboard' })
    await ask(closed, 404, { path: '/status' })
    await ask(closed, 404, { path: '/dashboard' })
  })

  it('POST /purge-payments', async () => {
    await purge(closed, 404)
    await purge(open, 401)
    await purge(open, 401, { authorization: 'Bearer another-token' })
    await purge(open, 200, { authorization: `Bearer ${TOKEN}` })
  })

  it('the wrong method, everywhere', async () => {
    for (const { method, path } of api.operations()) {
      const allowed = method.toUpperCase()
      const other = allowed === 'GET' ? 'POST' : 'GET'
      for (const wrong of [other, 'DELETE'] as const) {
        const { headers } = await ask(open, 405, {
          method: wrong,
          path: path.replace(/\{.*\}/, randomUUID()),
          template: path
        })
        assert.equal(headers.allow, allowed)
      }
    }
  })

  it('what is refused before any path: no Host, and headers that are too large', async () => {
    for (const { method, path } of api.operations()) {
      const line = `${method.toUpperCase()} ${path.replace(/\{.*\}/, randomUUID())} HTTP/1.1\r\nHost: pipeline\r\n`
      for (const [status, request] of [
        // HAProxy refuses what has no Host.
        [400, `${line.replace('Host: pipeline\r\n', '')}\r\n`],
        [431, `${line}X: ${'x'.repeat(5_000)}\r\n\r\n`]
      ] as const) {
        const answer = await sendRaw(open.port, request)
        assert.equal(answer.status, status, path)
        check(method, path, answer)
      }
    }
  })

  it('503, when too much is queued, Redis is away, and no gateway is up', async () => {
    await eventually('the queue is full', PATIENCE_MS, () => pay(closed, 503, bodyOf(newPayment())))
    const redis = open.stack.part('redis')
    redis.kill('SIGKILL')
    await redis.exited
    await pay(open, 503, bodyOf(newPayment()))
    await find(open, 503, randomUUID())
    await ask(open, 503, { path: '/payments-summary' })
    await purge(open, 503, { authorization: `Bearer ${TOKEN}` })
    await eventually('/health says it', PATIENCE_MS, () => ask(open, 503, { path: '/health' }))
    // A status may be half a second old.
    await eventually('/status says it', PATIENCE_MS, async () =>
      (await ask(open, 200, { path: '/status' })).body.includes('"isCurrent": false')
    )

    const gateway = closed.stack.part('gateway-1')
    gateway.kill('SIGKILL')
    await gateway.exited
    for (const path of ['/status', '/dashboard']) await ask(closed, 503, { path })
  })

  it('nothing else: each documented status was seen, but for those of slow clients and broken gateways', () => {
    const documented = api.operations().flatMap(({ method, path, operation: { responses } }) => {
      const provoked = Object.keys(responses).filter(status => !['408', '502', '504'].includes(status))
      return provoked.map(status => `${method} ${path} ${status}`)
    })
    assert.deepEqual(documented.sort(), [...seen].sort())
  })
})
