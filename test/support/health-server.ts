import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after } from 'node:test'

export type HealthServer = {
  url: string
  /** When each poll arrived, by `performance.now()`. */
  arrivalsMs: number[]
  /** What the polls get from now on. */
  answer: (respond: (response: ServerResponse) => void) => void
}

/** What a processor may say, or not. */
export const says = {
  health:
    (failing: boolean, minResponseTime = 0) =>
    (response: ServerResponse) => {
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ failing, minResponseTime }))
    },
  status: (status: number) => (response: ServerResponse) => {
    response.writeHead(status).end('{"message":"no"}')
  },
  text: (body: string) => (response: ServerResponse) => {
    response.end(body)
  },
  /** No answer, ever. */
  nothing: () => undefined,
  /** The beginning of an answer. */
  half: (response: ServerResponse) => {
    response.writeHead(200, { 'Content-Length': '99' }).write('{')
  },
  /** Bytes that are no HTTP. */
  garbage: (response: ServerResponse) => {
    response.socket?.end('\0\x01 this is no HTTP')
  },
  /** The connection ends without a byte. */
  hangUp: (response: ServerResponse) => {
    response.socket?.destroy()
  }
}

/** A processor that knows `GET /payments/service-health` alone; healthy until told otherwise. Ends with the test. */
export async function startHealthServer(): Promise<HealthServer> {
  let respond = says.health(false)
  const arrivalsMs: number[] = []
  const server = createServer((request, response) => {
    if (request.url !== '/payments/service-health' || request.method !== 'GET') {
      response.writeHead(404).end()
      return
    }
    arrivalsMs.push(performance.now())
    respond(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrivalsMs,
    answer(next) {
      respond = next
    }
  }
}
