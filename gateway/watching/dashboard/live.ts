import type { WebSocket } from 'uWebSockets.js'
import { unavailable } from '../../http/problem.ts'
import type { Socket } from '../../http/router.ts'
import type { Snapshot, StatusSource } from '../status/source.ts'
import { pointOf, type History } from './history.ts'

/** Each costs a message of some KB a second. */
const WATCHERS_MAX = 50
const PUSH_EVERY_MS = 1_000
const TOPIC = 'status'
/** RFC 6455's registry: the service restarts, come back. */
const RESTARTS = 1012

export type Live = {
  socket: Socket
  /** Ends all connections, and refuses new ones. */
  close: () => void
}

/**
 * The WebSocket of the live page. First comes `{"points":[…]}`, the last minutes, then `{"point":…,"status":…}` at once
 * and each second, where the status is the body of `GET /status`. Nothing is read or sent while nobody watches.
 */
export function createLive({ read }: StatusSource, history: History): Live {
  const watchers = new Set<WebSocket<unknown>>()
  let timer: NodeJS.Timeout | undefined
  let isPushing = false
  let isClosed = false

  const push = async (publish: Parameters<Socket>[0]) => {
    // While Redis does not answer, reading takes as long as it is given.
    if (isPushing) return
    isPushing = true
    publish(TOPIC, messageOf(await read()))
    isPushing = false
  }
  const refusal = (origin: string, host: string) => {
    if (!isSameHost(origin, host))
      return { status: 403, detail: 'Only the page of this host may connect.', field: 'Origin' } as const
    if (isClosed) return unavailable('This gateway is stopping.')
    return watchers.size < WATCHERS_MAX ? undefined : unavailable(`${WATCHERS_MAX} pages watch this gateway already.`)
  }

  return {
    socket: publish => ({
      // The page sends nothing. Who can't keep up, or is gone without a word, is dropped, and comes back if it is
      // there.
      maxPayloadLength: 16,
      idleTimeout: 16,
      maxBackpressure: 128 * 1024,
      closeOnBackpressureLimit: true,
      upgrade(res, req, { replyProblem }, context) {
        const problem = refusal(req.getHeader('origin'), req.getHeader('host'))
        if (problem) replyProblem(res, problem)
        else
          res.upgrade(
            {},
            req.getHeader('sec-websocket-key'),
            req.getHeader('sec-websocket-protocol'),
            req.getHeader('sec-websocket-extensions'),
            context
          )
      },
      open(ws) {
        watchers.add(ws)
        ws.subscribe(TOPIC)
        ws.send(JSON.stringify({ points: history.points() }))
        timer ??= setInterval(() => {
          void push(publish)
        }, PUSH_EVERY_MS)
        void push(publish)
      },
      close(ws) {
        watchers.delete(ws)
        if (watchers.size > 0) return
        clearInterval(timer)
        timer = undefined
      }
    }),
    close() {
      isClosed = true
      for (const ws of watchers) ws.end(RESTARTS, 'This gateway is stopping.')
    }
  }
}

function messageOf({ status, body }: Snapshot): string {
  return `{"point":${JSON.stringify(pointOf(status, Date.now()))},"status":${body}}`
}

/**
 * Browsers always tell where a page that connects came from; other programs need not, and could ask `GET /status` as
 * well.
 */
function isSameHost(origin: string, host: string): boolean {
  return origin === '' || (URL.canParse(origin) && new URL(origin).host === host.toLowerCase())
}
