import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocketBehavior } from 'uWebSockets.js'
import { hasOneEnd } from './framing.ts'
import type { Problem } from './problem.ts'
import { begin, endConnection, type Replies } from './replies.ts'

/** Answers one request, now or later. The request itself is gone after the call. */
export type Handler = (res: HttpResponse, req: HttpRequest, replies: Replies) => void

/** Makes the behaviour of a WebSocket route; `publish` sends a message to every client that subscribed to a topic. */
export type Socket = (publish: (topic: string, message: string) => void) => SocketBehavior
type SocketBehavior = Omit<WebSocketBehavior<unknown>, 'upgrade'> & {
  /** Answers like a handler, or upgrades. */
  upgrade: (res: HttpResponse, req: HttpRequest, replies: Replies, context: us_socket_context_t) => void
}

/** `handle` is null where a route is closed: it answers 404, like what does not exist. */
export type Route = {
  /** As uWebSockets.js has it: `:name` is a parameter. */
  path: string
  /** Whether the 404 of other paths names it: always, as one that may be closed, or never. */
  named: 'always' | 'if-open' | 'never'
} & ({ method: 'GET' | 'POST'; handle: Handler | null } | { method: 'WebSocket'; handle: Socket | null })

const TWO_ENDS: Problem = {
  status: 400,
  detail: 'A request has one Content-Length, or "Transfer-Encoding: chunked", or neither.'
}

/**
 * Gives every request its handler: that of its route, 405 at another method, 404 at any other path.
 *
 * @param noteInvalid called for each request that is refused because it says twice where its body ends
 */
export function attachRoutes(
  app: TemplatedApp,
  routes: readonly Route[],
  replies: Replies,
  noteInvalid: () => void
): void {
  /** Whether the request may have its handler; if not, it gets its answer here. */
  const admits = (res: HttpResponse, req: HttpRequest) => {
    begin(res, req)
    if (hasOneEnd(req)) return true
    // Its connection too: what follows may be its body.
    endConnection(res)
    // Not in this turn: what has come along with this request would be run after its answer, even one that closes the
    // connection. While the answer is outstanding, the library cuts the connection instead.
    setImmediate(() => {
      noteInvalid()
      replies.replyProblem(res, TWO_ENDS)
    })
    return false
  }
  const admitted = (handle: Handler) => (res: HttpResponse, req: HttpRequest) => {
    if (admits(res, req)) handle(res, req, replies)
  }
  const always = (problem: Problem) => admitted(res => replies.replyProblem(res, problem))

  const attachSocket = (path: string, socket: Socket) => {
    const { upgrade, ...behavior } = socket((topic, message) => app.publish(topic, message))
    app.ws(path, {
      ...behavior,
      upgrade(res, req, context) {
        if (admits(res, req)) upgrade(res, req, replies, context)
      }
    })
  }

  for (const route of routes) {
    if (route.method === 'WebSocket') {
      if (route.handle) attachSocket(route.path, route.handle)
    } else if (route.handle) {
      app[route.method === 'GET' ? 'get' : 'post'](route.path, admitted(route.handle))
    }
  }
  for (const [path, methods] of methodsByPath(routes)) app.any(path, always(methodNotAllowed(methods)))
  app.any('/*', always(notFound(routes)))
}

/** What may be asked at each path that is open; a WebSocket's is no method of its own. */
function methodsByPath(routes: readonly Route[]): Map<string, string[]> {
  const methods = new Map<string, string[]>()
  for (const { path, method, handle } of routes) {
    if (handle !== null && method !== 'WebSocket') methods.set(path, [...(methods.get(path) ?? []), method])
  }
  return methods
}

function methodNotAllowed(methods: readonly string[]): Problem {
  return { status: 405, detail: `Use ${methods.join(' or ')} here.`, headers: { Allow: methods.join(', ') } }
}

/** Names the same whatever is open. */
function notFound(routes: readonly Route[]): Problem {
  const namesOf = (which: Route['named']) =>
    routes
      .filter(({ named }) => named === which)
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
  return {
    status: 404,
    detail: `There is ${namesOf('always').join(', ')} and, if they are open, ${namesOf('if-open').join(' and ')}.`
  }
}
