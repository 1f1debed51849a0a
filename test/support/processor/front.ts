import { createServer, connect, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import { RESET_MARK } from './http.ts'

export type Front = { port: number; close: () => void }

/**
 * A relay in front of the model for one purpose: uWebSockets.js can close a connection (FIN) but not reset it (RST),
 * and some client code takes the two differently. Where the model writes RESET_MARK, the client gets a reset.
 * It costs more than the model itself, so it is there only when asked for.
 */
export async function startFront(host: string, port: number, modelPort: number): Promise<Front> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, client => {
    const model = connect({ host: '127.0.0.1', port: modelPort, noDelay: true })
    for (const [socket, other] of [
      [client, model],
      [model, client]
    ] as const) {
      sockets.add(socket)
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.on('error', () => other.destroy())
    }
    client.pipe(model)
    model.on('data', (bytes: Buffer) => {
      if (bytes.includes(RESET_MARK)) client.resetAndDestroy()
      else client.write(bytes)
    })
  })
  server.listen(port, host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}
