import type { HttpRequest } from 'uWebSockets.js'

/**
 * Whether a request says once, and in the one way that all agree on, where its body ends: a Content-Length, chunks, or
 * neither.
 *
 * uWebSockets.js, tried up to 20.69, believes the first Content-Length and takes any Transfer-Encoding for chunks. A
 * proxy that believes another one hands on a body of which the library then reads a part as the next request (RFC 9112,
 * section 11.2). HAProxy hands on neither, but not everybody has HAProxy in front. Costs 0.8 µs a request: only a look
 * at all headers finds a second one.
 */
export function hasOneEnd(request: HttpRequest): boolean {
  let count = 0
  let isKnown = true
  request.forEach((name, value) => {
    if (name === 'content-length') count += 1
    if (name === 'transfer-encoding') {
      count += 1
      isKnown = value.toLowerCase() === 'chunked'
    }
  })
  return count <= 1 && isKnown
}
