import { App, us_listen_socket_close, us_socket_local_port, type us_listen_socket } from 'uWebSockets.js'
import { addAdminRoutes } from './admin.ts'
import { startFront } from './front.ts'
import { deliver, readBody, reply, watchAbort } from './http.ts'
import { renderPayment } from './payment.ts'
import { Processor, type ProcessorOptions } from './processor.ts'

export type ServerOptions = ProcessorOptions & {
  host: string
  /** 0 takes a free one. */
  port: number
  /** Puts the relay of front.ts before the model, for the fault `reset`. */
  hasFront: boolean
}

export type Server = { port: number; processor: Processor; close: () => void }

/**
 * The HTTP interface of the model.
 * @throws when the address is taken, or the journal can't be used
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { hasFront } = options
  const processor = new Processor(options, performance.now())
  const app = App()
    .post('/payments', res => {
      watchAbort(res)
      readBody(res, body => processor.pay(body, answer => deliver(res, answer, hasFront)))
    })
    .get('/payments/service-health', res => {
      watchAbort(res)
      const isGranted = processor.askHealth(performance.now(), body => reply(res, 200, body))
      if (!isGranted) reply(res, 429, '{"message":"too many requests"}')
    })
    .get('/payments/:id', (res, req) => {
      watchAbort(res)
      const payment = processor.find(req.getParameter(0) ?? '')
      if (payment === undefined) reply(res, 404, '{"message":"no such payment"}')
      else reply(res, 200, renderPayment(payment))
    })
  addAdminRoutes(app, processor)
  app.any('/*', res => {
    watchAbort(res)
    reply(res, 404, '{"message":"no such path"}')
  })

  const { host, port } = options
  const socket = await listen(app, hasFront ? '127.0.0.1' : host, hasFront ? 0 : port)
  const modelPort = us_socket_local_port(socket)
  const front = hasFront ? await startFront(host, port, modelPort) : undefined
  return {
    port: front?.port ?? modelPort,
    processor,
    close() {
      us_listen_socket_close(socket)
      // Before the connections: the answers that wait for it are still delivered.
      processor.close()
      front?.close()
      app.close()
    }
  }
}

function listen(app: ReturnType<typeof App>, host: string, port: number): Promise<us_listen_socket> {
  // Without this option a second process could listen on the same port, and each would get half of the requests.
  // The type declarations know it only for the form without host.
  const exclusivePort = 1
  const listenExclusively = app.listen.bind(app) as unknown as (
    host: string,
    port: number,
    options: number,
    done: (socket: us_listen_socket | false) => void
  ) => void
  return new Promise((resolve, reject) => {
    listenExclusively(host, port, exclusivePort, socket => {
      if (socket === false) reject(new Error(`can't listen on ${host}:${port}: taken or not permitted`))
      else resolve(socket)
    })
  })
}
