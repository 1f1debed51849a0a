import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { Redis } from 'ioredis'
import { Pool } from 'undici'
import { startStack, type Stack, type StackOptions } from '../../compose/local/stack.ts'
import { createKeys, type Keys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import { decimalFromCents } from '../../shared/money.ts'
import type { Payment, ProcessorName } from '../../shared/payment.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { eventually, PATIENCE_MS } from './eventually.ts'
import { ProcessorAdmin } from './processor/admin-client.ts'

export type Reply = { status: number; headers: Record<string, string | string[] | undefined>; body: string }

export type TestPipeline = {
  stack: Stack
  /** HAProxy's, on the loopback address. */
  port: number
  keys: Keys
  /** Looks into Redis as nobody of the pipeline does. */
  redis: Redis
  /** The models; no use where `processors` was given. */
  admins: Record<ProcessorName, ProcessorAdmin>
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

/**
 * The whole pipeline as real processes on free ports; ends with the test file. Adds what tests ask it to `startStack`.
 */
export async function startTestPipeline(options: Omit<StackOptions, 'directory'> = {}): Promise<TestPipeline> {
  const directory = await mkdtemp(join(tmpdir(), 'pipeline-'))
  const releases: (() => unknown)[] = [() => rm(directory, { recursive: true, force: true })]
  after(async () => {
    for (const release of releases.reverse()) await release()
  })
  const stack = await startStack({ directory, ...options })
  releases.push(() => stack.kill())
  const client = new Pool(stack.url, { connections: CONNECTIONS, pipelining: 1 })
  releases.push(() => client.destroy())
  const redis = await connectRedis(`unix:${stack.redisPath}`, 'test', 30_000, createLog('test', 'silent'))
  releases.push(() => {
    redis.disconnect()
  })

  const keys = createKeys()
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
    stack,
    port: Number(new URL(stack.url).port),
    keys,
    redis,
    admins: {
      default: new ProcessorAdmin(stack.processorUrls.default),
      fallback: new ProcessorAdmin(stack.processorUrls.fallback)
    },
    get: path => request('GET', path),
    pay: payment => request('POST', '/payments', bodyOf(payment)),
    async untilSettled() {
      await eventually('the queue is empty', PATIENCE_MS, async () => (await redis.xlen(keys.queue)) === 0)
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
