import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { HttpRequest, HttpResponse } from 'uWebSockets.js'
import type { Log } from '../../../shared/log.ts'
import { unavailable } from '../../problem.ts'
import type { Routes } from '../../server.ts'
import type { StatusSource } from '../status/source.ts'
import { acceptsGzip } from './accepts-gzip.ts'
import { readPageFiles, type PageFile } from './files.ts'
import { createHistory, pointOf } from './history.ts'
import { createLive, type Live } from './live.ts'

const HEADERS = {
  // A gateway that was replaced by a newer version must not leave its page in the browsers.
  'Cache-Control': 'no-cache',
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  Vary: 'Accept-Encoding'
}

/** The live page: `/dashboard`, its files below that, and its WebSocket `/dashboard/live`. It can change nothing. */
export function createDashboard(status: StatusSource, log: Log): Routes {
  const history = createHistory()
  status.onMade(made => {
    history.add(pointOf(made, Date.now()))
  })
  let files: Promise<ReadonlyMap<string, PageFile>> | undefined
  let live: Live | undefined

  return {
    attach(app, replies) {
      const { guarded, begin, reply, replyProblem } = replies
      const answer = (res: HttpResponse, req: HttpRequest, name: string) => {
        begin(res, req)
        const isGzipped = acceptsGzip(req.getHeader('accept-encoding'))
        files ??= readPageFiles()
        files
          .then(async known => {
            const file = known.get(name)
            return (
              file && {
                contentType: file.contentType,
                body: isGzipped ? file.gzipped : await promisify(gunzip)(file.gzipped)
              }
            )
          })
          .then(
            file => {
              const encoding = isGzipped ? { 'Content-Encoding': 'gzip' } : {}
              if (file) reply(res, '200 OK', { ...HEADERS, ...encoding, 'Content-Type': file.contentType }, file.body)
              else replyProblem(res, { status: 404, detail: 'The live page is at /dashboard.' })
            },
            (error: unknown) => {
              log.error({ err: error }, 'page not read')
              files = undefined
              replyProblem(res, unavailable('The page can not be read now.'))
            }
          )
      }
      const anyOther = (res: HttpResponse, req: HttpRequest) => {
        begin(res, req)
        replyProblem(res, { status: 405, detail: 'Use GET here.', headers: { Allow: 'GET' } })
      }
      live = createLive(app, replies, status, history)
      app
        .get(
          '/dashboard',
          guarded((res, req) => {
            answer(res, req, 'index.html')
          })
        )
        .any('/dashboard', guarded(anyOther))
        .ws('/dashboard/live', live.behavior)
        .get(
          '/dashboard/:file',
          guarded((res, req) => {
            answer(res, req, req.getParameter(0) ?? '')
          })
        )
        .any('/dashboard/:file', guarded(anyOther))
    },
    close() {
      live?.close()
    }
  }
}
