// Goal: what the server answers is what docs/openapi.yaml says: each status is listed there for its path, with its
// content type, its headers and a body that its schema accepts.
// Method: a real pipeline with open doors, and a gateway with closed ones, are asked for whatever can be provoked. At
// the end each documented status has been seen, but for those that only a broken gateway or a slow client gets.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { Client } from 'undici'
import { eventually } from '../support/eventually.ts'
import { startGateway } from '../support/gateway.ts'
import { readOpenApi, type Answer } from '../support/openapi.ts'
import { newPayment } from '../support/payments.ts'
import { bodyOf, startTestPipeline } from '../support/pipeline.ts'
import { sendRaw } from '../support/raw-http.ts'

const TOKEN = 'a-token-of-the-test'

const api = readOpenApi()
const { stack, port, admins, untilSettled } = await startTestPipeline({
  environment: { gateway: { PURGE: 'open', PURGE_TOKEN: TOKEN, REDIS_TIMEOUT_MS: '500' } }
})
const closed = await startGateway(`unix:${stack.redisPath}`, { STATUS: 'closed' })
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
async function ask(status: number, { method = 'GET', path, template, headers = {}, body }: Wanted): Promise<Answer> {
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
const pay = (status: number, body: string, headers: Record<string, string> = json) =>
  ask(status, { method: 'POST', path: '/payments', headers, body })
const find = (status: number, id: string) =>
  ask(status, { path: `/payments/${id}`, template: '/payments/{correlationId}' })
const purge = (status: number, headers: Record<string, string> = {}) =>
  ask(status, { method: 'POST', path: '/purge-payments', headers })

const notFoundIfClosed = async (method: 'GET' | 'POST', path: string) => {
  const answer = await closed.request(method, path)
  assert.equal(answer.status, 404)
  check(method, path, answer)
}

describe('docs/openapi.yaml describes', () => {
  it('POST /payments', async () => {
    const payment = newPayment(4_990)
    await pay(202, bodyOf(payment))
    await pay(200, bodyOf(payment))
    await pay(409, bodyOf({ ...payment, cents: newPayment(5_000).cents }))
    await pay(400, '{"amount":1.999}')
    await pay(400, 'no JSON')
    await pay(413, ' '.repeat(5_000))
    await pay(415, bodyOf(payment), { 'content-type': 'text/plain' })
    await pay(415, bodyOf(payment), { ...json, 'content-encoding': 'gzip' })
  })

  it('GET /payments/{correlationId}, whatever became of the payment', async () => {
    const settled = newPayment()
    await pay(202, bodyOf(settled))
    await untilSettled()
    assert.match((await find(200, settled.correlationId)).body, /"status":"settled","processor":/)
    stack.part('worker-1').kill('SIGSTOP')
    const queued = newPayment()
    await pay(202, bodyOf(queued))
    assert.match((await find(200, queued.correlationId)).body, /"status":"queued"/)
    stack.part('worker-1').kill('SIGCONT')
    await find(404, randomUUID())
    await find(400, 'no-id')
  })

  it('a payment that is in flight', async () => {
    const { default: atDefault } = admins
    await atDefault.setHolding(true)
    const payment = newPayment()
    await pay(202, bodyOf(payment))
    await atDefault.until(({ running }) => running > 0)
    assert.match((await find(200, payment.correlationId)).body, /"status":"in-flight","processor":"default"/)
    await ask(200, { path: '/status' })
    await atDefault.setHolding(false)
    await untilSettled()
  })

  it('GET /payments-summary', async () => {
    assert.match((await ask(200, { path: '/payments-summary' })).body, /"totalRequests":[1-9]/)
    await ask(200, { path: '/payments-summary?from=2026-11-21T08:00:00.000Z&to=2026-11-21T09:00:00Z' })
    await ask(200, { path: '/payments-summary?from=&to=' })
    await ask(400, { path: '/payments-summary?from=yesterday' })
    await ask(400, { path: '/payments-summary?from=2026-11-21T09:00:00Z&to=2026-11-21T08:00:00Z' })
  })

  it('GET /health, /status and /dashboard', async () => {
    await ask(200, { path: '/health' })
    const { body } = await ask(200, { path: '/status' })
    const status = JSON.parse(body) as { gateways: unknown[]; workers: unknown[]; monitors: unknown[] }
    // So that the schema has judged one of each.
    for (const list of [status.gateways, status.workers, status.monitors]) assert(list.length > 0, body)
    await ask(200, { path: '/dashboard' })
    for (const path of ['/status', '/dashboard']) await notFoundIfClosed('GET', path)
  })

  it('POST /purge-payments', async () => {
    await notFoundIfClosed('POST', '/purge-payments')
    await purge(401)
    await purge(401, { authorization: 'Bearer another-token' })
    await purge(200, { authorization: `Bearer ${TOKEN}` })
  })

  it('the wrong method, everywhere', async () => {
    for (const { method, path } of api.operations()) {
      const allowed = method.toUpperCase()
      const other = allowed === 'GET' ? 'POST' : 'GET'
      for (const wrong of [other, 'DELETE'] as const) {
        const { headers } = await ask(405, {
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
        const answer = await sendRaw(port, request)
        assert.equal(answer.status, status, path)
        check(method, path, answer)
      }
    }
  })

  it('503, when Redis is away, and when no gateway is up', async () => {
    const kill = async (name: string) => {
      stack.part(name).kill('SIGKILL')
      await stack.part(name).exited
    }
    await kill('redis')
    await pay(503, bodyOf(newPayment()))
    await find(503, randomUUID())
    await ask(503, { path: '/payments-summary' })
    await purge(503, { authorization: `Bearer ${TOKEN}` })
    await eventually('/health says it', () => ask(503, { path: '/health' }))
    // A status may be half a second old.
    await eventually('/status says it', async () =>
      (await ask(200, { path: '/status' })).body.includes('"isCurrent": false')
    )

    for (const name of ['gateway-1', 'gateway-2']) await kill(name)
    for (const path of ['/status', '/dashboard']) await ask(503, { path })
  })

  it('nothing else: each documented status was seen, but for those of slow clients and broken gateways', () => {
    const documented = api.operations().flatMap(({ method, path, operation: { responses } }) => {
      const provoked = Object.keys(responses).filter(status => !['408', '502', '504'].includes(status))
      return provoked.map(status => `${method} ${path} ${status}`)
    })
    assert.deepEqual(documented.sort(), [...seen].sort())
  })
})
