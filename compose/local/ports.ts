// TCP ports on the loopback address, for the parts that cannot choose one themselves.
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Whether a server could listen on this port, on all addresses (port 9999 taken on one address counts as taken). */
export async function isPortFree(port: number): Promise<boolean> {
  return (await canListen(port, '127.0.0.1')) && (await canListen(port, undefined))
}

const FIRST_PORT = 20_000
const PORT_COUNT = 10_000
/**
 * Processes that run side by side begin far apart and count up, so that they don't find the same free port at the same
 * time.
 */
let nextPort = (process.pid * 16) % PORT_COUNT

/**
 * A port that is free now. Below 32768, the start of Linux's own range for outgoing connections, so that no client's
 * connection takes it between this answer and its use.
 */
export async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const port = FIRST_PORT + nextPort
    nextPort = (nextPort + 1) % PORT_COUNT
    if (await isPortFree(port)) return port
  }
  throw new Error(`no free TCP port found from ${FIRST_PORT} on`)
}

async function canListen(port: number, host: string | undefined): Promise<boolean> {
  const server = createServer()
  try {
    server.listen({ port, ...(host === undefined ? {} : { host }) })
    await once(server, 'listening')
    return true
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EADDRINUSE' || code === 'EACCES') return false
    throw error
  } finally {
    server.close()
  }
}
