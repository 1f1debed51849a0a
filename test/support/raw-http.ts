import { connect, type Socket } from 'node:net'

export type RawReply = {
  status: number
  /** Names in lower case. */
  headers: Record<string, string>
  body: string
}

/** How long the server may be silent. */
const TIMEOUT_MS = 60_000

/**
 * Sends bytes as they are over a connection of its own, in one piece or in several that leave one after the other,
 * and reads one reply. No client library touches the request, so it may be as wrong as a test wants.
 *
 * @param port on the loopback address
 * @param isHead no body follows, whatever Content-Length says
 * @throws when there is no complete reply
 */
export async function sendRaw(
  port: number,
  request: Uint8Array | string | readonly string[],
  isHead = false
): Promise<RawReply> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy())
  try {
    const reply = readReply(socket, isHead)
    // Whoever awaits it below hears of it.
    reply.catch(() => undefined)
    for (const piece of Array.isArray(request) ? (request as string[]) : [request as Uint8Array | string]) {
      await new Promise(resolve => socket.write(piece, resolve))
      // What was written has left as a segment of its own by the next timer.
      await new Promise(resolve => setTimeout(resolve, 1))
    }
    return await reply
  } finally {
    socket.destroy()
  }
}

/**
 * Sends bytes as they are to a unix socket, and returns the statuses of all answers that come until the server closes
 * the connection.
 *
 * @throws when it does not
 */
export async function readStatuses(socketPath: string, bytes: Uint8Array): Promise<number[]> {
  const socket = connect(socketPath)
  let text = ''
  socket.on('data', chunk => {
    text += chunk.toString('latin1')
  })
  await new Promise<void>((resolve, reject) => {
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`left open after ${text.slice(0, 200)}`)))
    // A server that closes while bytes are under way resets the connection.
    socket.on('error', error => {
      if ((error as NodeJS.ErrnoException).code === undefined) reject(error)
    })
    socket.on('close', () => resolve())
    socket.write(bytes)
  })
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
}

function readReply(socket: Socket, isHead: boolean): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    socket.on('data', chunk => {
      bytes = Buffer.concat([bytes, chunk])
      const reply = parseReply(bytes, isHead)
      if (reply !== undefined) resolve(reply)
    })
    // A server that refuses early may reset the connection after its reply: what has come is what counts.
    socket.on('error', () => undefined)
    socket.on('close', () => reject(new Error(`no complete reply: ${bytes.toString('latin1', 0, 200)}`)))
  })
}

/** Undefined while it is not complete. */
function parseReply(bytes: Buffer, isHead: boolean): RawReply | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n')
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1])
  if (status === 100) return parseReply(bytes.subarray(headEnd + 4), isHead)
  const headers = Object.fromEntries(
    lines.map(line => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    })
  )
  const length = Number(headers['content-length'] ?? 0)
  const body = bytes.subarray(headEnd + 4)
  if (isHead) return { status, headers, body: body.toString() }
  return body.length < length ? undefined : { status, headers, body: body.toString('utf8', 0, length) }
}
