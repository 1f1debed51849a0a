// The few things this model needs from uWebSockets.js, with its two rules in one place: `onAborted` before anything
// asynchronous (a response whose client has left is freed), and answers within `cork` (one system call).
import type { HttpResponse } from 'uWebSockets.js'
import type { Answer } from './processor.ts'

const REASONS: Record<number, string> = {
  200: 'OK',
  204: 'No Content',
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  409: 'Conflict',
  413: 'Content Too Large',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error'
}
const statusLine = (status: number) => `${status} ${REASONS[status] ?? 'Status'}`
const STATUS_LINES = new Map(Array.from({ length: 600 }, (_, status) => [status, statusLine(status)]))

const BODY_BYTES_MAX = 64 * 1024
const HALF_REPLY = '200 OK\r\nContent-Type: application/json\r\nContent-Length: 46\r\n\r\n{"message":"payment pro'
const GARBAGE = '\u0000\u0001\u0002 this is no HTTP \u007f'
/** What the front looks for to reset a connection; no status line that a processor sends begins like it. */
export const RESET_MARK = 'HTTP/1.1 000 reset'

/** To be called first in every handler. */
export function watchAbort(res: HttpResponse): void {
  res.onAborted(() => {
    res.isGone = true
  })
}

export function reply(res: HttpResponse, status: number, body = ''): void {
  if (res.isGone === true) return
  res.cork(() => {
    res.writeStatus(STATUS_LINES.get(status) ?? '500 Status')
    if (body !== '') res.writeHeader('Content-Type', 'application/json; charset=utf-8')
    // uWebSockets.js has no other way to leave out the body that 204 must not have.
    if (status === 204) res.endWithoutBody()
    else res.end(body)
  })
}

/** Gives a payment's client its answer, or breaks its connection in the way that a fault wants. */
export function deliver(res: HttpResponse, answer: Answer, hasFront: boolean): void {
  switch (answer.kind) {
    case 'status':
      reply(res, answer.status, answer.body)
      break
    case 'silent':
      break
    case 'garbage':
      sendRaw(res, GARBAGE)
      break
    case 'cut':
      sendRaw(res, HALF_REPLY)
      break
    case 'reset':
      sendRaw(res, hasFront ? RESET_MARK.slice('HTTP/1.1 '.length) : undefined)
      break
  }
}

/**
 * Sends these bytes behind "HTTP/1.1 " and closes the connection. uWebSockets.js writes a status without looking
 * into it, so a status that goes on with headers and half a body is half a reply.
 */
function sendRaw(res: HttpResponse, bytes: string | undefined): void {
  // Later, because within a handler everything is corked: close() would throw the bytes away unsent.
  setImmediate(() => {
    if (res.isGone === true) return
    if (bytes !== undefined) res.cork(() => res.writeStatus(bytes))
    res.close()
  })
}

/** Calls back once with the whole body, unless it is too large (answered with 413) or its client leaves before. */
export function readBody(res: HttpResponse, done: (body: string) => void): void {
  let collected: Buffer | undefined
  let bytes = 0
  res.onData((chunk, isLast) => {
    bytes += chunk.byteLength
    if (bytes > BODY_BYTES_MAX) {
      reply(res, 413, '{"message":"the body is too large"}')
      res.isGone = true
      return
    }
    const part = Buffer.from(chunk)
    // A chunk is valid within this call only, so what waits for more is copied.
    if (!isLast) collected = collected === undefined ? Buffer.from(part) : Buffer.concat([collected, part])
    else done((collected === undefined ? part : Buffer.concat([collected, part])).toString())
  })
}
