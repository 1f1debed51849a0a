// Goal: every route of the table is there with its method, any other method gets 405 with `Allow`, any other path and
// all that is closed 404, and the 404 says what there is.
// Method: an app that only remembers what is attached to it; requests without headers.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js'
import type { Problem } from '../../gateway/http/problem.ts'
import { attachRoutes } from '../../gateway/http/router.ts'
import { createRoutes, type Dashboard, type RoutesOptions } from '../../gateway/routes.ts'

const DASHBOARD = { page: () => undefined, file: () => undefined, live: () => ({}) } as unknown as Dashboard
const OPEN = {
  purge: { run: () => Promise.resolve(), token: null },
  status: () => Promise.resolve(''),
  dashboard: DASHBOARD
}
const CLOSED = { purge: null, status: null, dashboard: null }

function attached(options: Pick<RoutesOptions, 'purge' | 'status' | 'dashboard'>) {
  const handlers = new Map<string, (res: HttpResponse, req: HttpRequest) => void>()
  const attach = (method: string) => (path: string, handler: (res: HttpResponse, req: HttpRequest) => void) =>
    handlers.set(`${method} ${path}`, handler)
  const app = { get: attach('get'), post: attach('post'), any: attach('any'), ws: attach('ws') }
  let problem: Problem | undefined
  const replies = {
    reply: () => undefined,
    replyJson: () => undefined,
    replyProblem: (_: HttpResponse, given: Problem) => {
      problem = given
    }
  }
  const routes = createRoutes(options as RoutesOptions)
  attachRoutes(app as unknown as TemplatedApp, routes, replies, () => undefined)
  return {
    keys: [...handlers.keys()].sort(),
    problemOf: (key: string) => {
      const request = { getMethod: () => 'put', forEach: () => undefined }
      handlers.get(key)?.({ onAborted: () => undefined } as unknown as HttpResponse, request as unknown as HttpRequest)
      return problem
    }
  }
}

describe('the routes of a gateway', () => {
  const always = [
    'any /*',
    'any /health',
    'any /payments',
    'any /payments-summary',
    'any /payments/:correlationId',
    'get /health',
    'get /payments-summary',
    'get /payments/:correlationId',
    'post /payments'
  ]
  const closable = [
    'any /dashboard',
    'any /dashboard/:file',
    'any /purge-payments',
    'any /status',
    'get /dashboard',
    'get /dashboard/:file',
    'get /status',
    'post /purge-payments',
    'ws /dashboard/live'
  ]

  it('are all there when all is open, and only those that no setting closes otherwise', () => {
    assert.deepEqual(attached(OPEN).keys, [...always, ...closable].sort())
    assert.deepEqual(attached(CLOSED).keys, always)
  })

  it('answer 405 to another method, and say which is theirs', () => {
    const { problemOf } = attached(OPEN)
    for (const [path, method] of [
      ['/payments', 'POST'],
      ['/payments/:correlationId', 'GET'],
      ['/dashboard/:file', 'GET'],
      ['/purge-payments', 'POST']
    ] as const) {
      const wanted = { status: 405, detail: `Use ${method} here.`, headers: { Allow: method } }
      assert.deepEqual(problemOf(`any ${path}`), wanted)
    }
  })

  it('are named by the 404, the same whatever is open', () => {
    for (const options of [OPEN, CLOSED])
      assert.deepEqual(attached(options).problemOf('any /*'), {
        status: 404,
        detail:
          'There is POST /payments, GET /payments/{correlationId}, GET /payments-summary, GET /health and, if they are open, GET /status and GET /dashboard.'
      })
  })
})
