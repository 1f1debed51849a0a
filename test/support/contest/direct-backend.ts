import { once } from 'node:events'
import { Agent, createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * How a backend can be wrong: it tells of payments that it did not make, it tells of a cent too much, it makes payments
 * under a second id, or it accepts payments and forgets them.
 */
export type Mistake = 'none' | 'counts-twice' | 'adds-a-cent' | 'pays-twice' | 'forgets'

const NAMES = ['default', 'fallback'] as const

/**
 * The simplest backend that keeps the contract, in memory and without guarantees, for the tests of the scripts for k6:
 * each payment goes to default, then to fallback, until one takes it. With a mistake, every tenth payment suffers it.
 * @returns its URL
 */
export async function startDirectBackend(
  test: { after: (release: () => unknown) => void },
  processorUrls: Record<(typeof NAMES)[number], string>,
  mistake: Mistake = 'none'
): Promise<string> {
  const agent = new Agent({ keepAlive: true })
  const settled: { name: (typeof NAMES)[number]; timeMs: number; cents: number }[] = []
  let count = 0
  let isStopping = false

  const settle = async (payment: { correlationId: string; amount: number }): Promise<void> => {
    const isWrong = ++count % 10 === 0
    if (isWrong && mistake === 'forgets') return
    while (true) {
      for (const name of NAMES) {
        const timeMs = Date.now()
        const body = { ...payment, requestedAt: new Date(timeMs).toISOString() }
        if ((await post(agent, processorUrls[name], body)) !== 200) continue
        const cents = Math.round(payment.amount * 100)
        const entry = { name, timeMs, cents: isWrong && mistake === 'adds-a-cent' ? cents + 1 : cents }
        settled.push(entry)
        if (isWrong && mistake === 'counts-twice') settled.push(entry)
        if (isWrong && mistake === 'pays-twice') {
          await post(agent, processorUrls[name], { ...body, correlationId: crypto.randomUUID() })
        }
        return
      }
      // Both refuse: not in a busy loop.
      if (isStopping) return
      await sleep(20)
    }
  }

  const summarise = (fromMs: number, toMs: number) =>
    Object.fromEntries(
      NAMES.map(name => {
        const entries = settled.filter(entry => entry.name === name && entry.timeMs >= fromMs && entry.timeMs <= toMs)
        const totalCents = entries.reduce((sum, { cents }) => sum + cents, 0)
        return [name, { totalRequests: entries.length, totalAmount: totalCents / 100 }]
      })
    )

  const server = createServer((message, response) => {
    const url = new URL(message.url ?? '', 'http://backend')
    if (message.method === 'POST' && url.pathname === '/payments') {
      void text(message).then(body => {
        response.writeHead(202).end()
        void settle(JSON.parse(body) as { correlationId: string; amount: number })
      })
    } else if (message.method === 'POST' && url.pathname === '/purge-payments') {
      settled.length = 0
      response.end()
    } else if (url.pathname === '/payments-summary') {
      const bound = (name: string, missing: number) => Date.parse(url.searchParams.get(name) ?? '') || missing
      response.end(JSON.stringify(summarise(bound('from', -Infinity), bound('to', Infinity))))
    } else {
      response.writeHead(404).end()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.after(() => {
    isStopping = true
    agent.destroy()
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The status, 0 when the connection failed. */
async function post(agent: Agent, url: string, body: unknown): Promise<number> {
  try {
    const sent = request(`${url}/payments`, { method: 'POST', agent, headers: { 'Content-Type': 'application/json' } })
    sent.end(JSON.stringify(body))
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    answer.resume()
    return answer.statusCode ?? 0
  } catch {
    return 0
  }
}
