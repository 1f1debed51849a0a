// TCP ports on the loopback address, for the parts that cannot choose one themselves.
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Whether a server could listen on this port, on all addresses (port 9999 taken on one address counts as taken). */
export async function isPortFree(port: number): Promise<boolean> {
  return await canListen(port, '127.0.0.1') && await canListen(port, undefined)
}

/**
 * A port that is free now. Below 32768, the start of Linux's own range for outgoing connections, so that no client's
 * connection takes it between this answer and its use.
 */
export async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    if (await isPortFree(port)) return port
  }
  throw new Error('no free TCP port found between 20000 and 29999')
}

async function canListen(port: number, host: string | undefined): Promise<boolean> {
  const server = createServer()
  try {
    server.listen({ port, ...host === undefined ? {} : { host } })
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
