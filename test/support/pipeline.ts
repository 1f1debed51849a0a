import { after } from 'node:test'
import { Pool } from 'undici'
import { decimalFromCents } from '../../shared/money.ts'
import type { Payment, ProcessorName } from '../../shared/payment.ts'
import { eventually } from './eventually.ts'
import { ownerOf } from './owner.ts'
import { startTestStack, type TestStack, type TestStackOptions } from './stack.ts'

export type Reply = { status: number; headers: Record<string, string | string[] | undefined>; body: string }

export type TestPipeline = TestStack & {
  /** HAProxy's, on the loopback address. */
  port: number
  get: (path: string) => Promise<Reply>
  /** Posts a payment through HAProxy. */
  pay: (payment: Payment) => Promise<Reply>
  /** Returns when every accepted payment is settled. */
  untilSettled: () => Promise<void>
  /** What `GET /payments-summary` says, in whole cents. */
  summary: (query?: string) => Promise<Record<ProcessorName, { requests: number; cents: number }>>
}

/** More than the tests have under way at a time, so that none waits in the client. */
const CONNECTIONS = 1_000

/** The whole pipeline; ends with the test file. Adds what tests ask it. */
export async function startTestPipeline(options: TestStackOptions = {}): Promise<TestPipeline> {
  const own = ownerOf({ after })
  const testStack = await startTestStack(own, 'pipeline', options)
  const { stack, redis, keys } = testStack
  const client = own(new Pool(stack.url, { connections: CONNECTIONS, pipelining: 1 }), pool => pool.destroy())
  const request = async (method: 'GET' | 'POST', path: string, body?: string): Promise<Reply> => {
    const {
      statusCode,
      headers,
      body: reply
    } = await client.request({
      method,
      path,
      ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } })
    })
    return { status: statusCode, headers, body: await reply.text() }
  }

  return {
    ...testStack,
    port: Number(new URL(stack.url).port),
    get: path => request('GET', path),
    pay: payment => request('POST', '/payments', bodyOf(payment)),
    async untilSettled() {
      await eventually('the queue is empty', async () => (await redis.xlen(keys.queue)) === 0)
    },
    async summary(query = '') {
      const { status, body } = await request('GET', `/payments-summary${query}`)
      if (status !== 200) throw new Error(`summary: ${status} ${body}`)
      const totals = JSON.parse(body) as Record<ProcessorName, { totalRequests: number; totalAmount: number }>
      const inCents = (name: ProcessorName) => {
        const { totalRequests, totalAmount } = totals[name]
        return { requests: totalRequests, cents: Math.round(totalAmount * 100) }
      }
      return { default: inCents('default'), fallback: inCents('fallback') }
    }
  }
}

/** The request body of a payment. */
export function bodyOf({ correlationId, cents }: Payment): string {
  return `{"correlationId":"${correlationId}","amount":${decimalFromCents(cents)}}`
}
