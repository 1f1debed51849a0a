import { App, us_listen_socket_close, type TemplatedApp, type us_listen_socket } from 'uWebSockets.js'
import type { Address } from '../shared/environment.ts'
import { createReplies } from './http/replies.ts'
import { attachRoutes } from './http/router.ts'
import { createRoutes, type RoutesOptions } from './routes.ts'

export type Server = {
  /** Stops listening and lets requests that are under way have their answers. */
  close: () => Promise<void>
}

export type ServerOptions = Omit<RoutesOptions, 'isDraining'>

/**
 * The HTTP interface.
 *
 * @throws when the address is taken or not permitted
 */
export async function listen(address: Address, options: ServerOptions): Promise<Server> {
  const { intake, dashboard, tally } = options
  let isDraining = false
  const draining = () => isDraining

  const app = App().filter((_, change) => {
    tally.connections += change
  })
  attachRoutes(app, createRoutes({ ...options, isDraining: draining }), createReplies(draining), () => {
    tally.answers.invalid += 1
  })
  const socket = await listenAt(app, address)

  return {
    async close() {
      isDraining = true
      us_listen_socket_close(socket)
      dashboard?.close()
      await intake.drained()
      app.close()
    }
  }
}

function listenAt(app: TemplatedApp, address: Address): Promise<us_listen_socket> {
  return new Promise((resolve, reject) => {
    const onListen = (listening: us_listen_socket | false) => {
      if (listening) resolve(listening)
      else
        reject(
          new Error(
            `can't listen on ${address.kind === 'unix' ? address.path : `${address.host}:${address.port}`}: taken or not permitted`
          )
        )
    }
    if (address.kind === 'unix') app.listen_unix(onListen, address.path)
    else app.listen(address.host, address.port, onListen)
  })
}
