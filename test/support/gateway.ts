import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { Pool } from 'undici'
import type { Payment } from '../../shared/payment.ts'
import { bodyOf, type Reply } from './pipeline.ts'
import { startService, type ServiceProcess } from './service.ts'

export type TestGateway = ServiceProcess & {
  socketPath: string
  request: (method: 'GET' | 'POST', path: string, body?: string) => Promise<Reply>
  pay: (payment: Payment) => Promise<Reply>
}

/** A gateway alone, ready, on a unix socket and without HAProxy; ends with the test file. */
export async function startGateway(
  redisUrl: string,
  environment: Record<string, string> = {},
  connections = 100
): Promise<TestGateway> {
  const directory = await mkdtemp(join(tmpdir(), 'gateway-'))
  const socketPath = join(directory, 'http.sock')
  const gateway = startService('gateway', { REDIS_URL: redisUrl, LISTEN: `unix:${socketPath}`, ...environment })
  const client = new Pool('http://gateway', { socketPath, connections })
  after(async () => {
    await client.destroy()
    await rm(directory, { recursive: true, force: true })
  })
  await gateway.untilLogged('ready')
  const request: TestGateway['request'] = async (method, path, body) => {
    const json = body !== undefined && { body, headers: { 'content-type': 'application/json' } }
    const { statusCode: status, headers, body: reply } = await client.request({ method, path, ...json })
    return { status, headers, body: await reply.text() }
  }
  return { ...gateway, socketPath, request, pay: payment => request('POST', '/payments', bodyOf(payment)) }
}
