import type { HttpRequest, HttpResponse } from 'uWebSockets.js'
import { renderProblem, type Problem } from './problem.ts'

/** How a handler answers: with one of these, once, at once or later. */
export type Replies = {
  reply: (res: HttpResponse, statusLine: string, headers: Record<string, string>, body?: string | Buffer) => void
  /** 200 with a body that is JSON already. */
  replyJson: (res: HttpResponse, body: string) => void
  replyProblem: (res: HttpResponse, problem: Problem) => void
}

/**
 * Comes first with every request, before anything asynchronous: uWebSockets.js frees a response whose client has left,
 * and a request after the turn in which it came.
 */
export function begin(res: HttpResponse, req: HttpRequest): void {
  res.onAborted(() => {
    res.isAborted = true
  })
  res.isHead = req.getMethod() === 'head'
}

/** Has the next answer close its connection. */
export function endConnection(res: HttpResponse): void {
  res.isLast = true
}

/** @param isDraining while true each answer closes its connection, so that the client comes back elsewhere */
export function createReplies(isDraining: () => boolean): Replies {
  const reply: Replies['reply'] = (res, statusLine, headers, body) => {
    if (res.isAborted === true) return
    const isLast = isDraining() || res.isLast === true
    // Within `cork` it is one system call.
    res.cork(() => {
      res.writeStatus(statusLine)
      for (const name in headers) res.writeHeader(name, headers[name] ?? '')
      if (res.isHead === true) res.endWithoutBody(0, isLast)
      else res.end(body, isLast)
    })
  }
  return {
    reply,
    replyJson(res, body) {
      reply(res, '200 OK', { 'Content-Type': 'application/json' }, body)
    },
    replyProblem(res, problem) {
      const { statusLine, body } = renderProblem(problem)
      reply(res, statusLine, { 'Content-Type': 'application/problem+json', ...problem.headers }, body)
    }
  }
}
