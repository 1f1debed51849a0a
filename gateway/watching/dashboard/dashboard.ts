import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { HttpRequest, HttpResponse } from 'uWebSockets.js'
import type { Log } from '../../../shared/log.ts'
import { unavailable } from '../../http/problem.ts'
import type { Replies } from '../../http/replies.ts'
import type { Dashboard } from '../../routes.ts'
import type { StatusSource } from '../status/source.ts'
import { acceptsGzip } from './accepts-gzip.ts'
import { readPageFiles, type PageFile } from './files.ts'
import { createHistory, pointOf } from './history.ts'
import { createLive } from './live.ts'

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
export function createDashboard(status: StatusSource, log: Log): Dashboard {
  const history = createHistory()
  status.onMade(made => history.add(pointOf(made, Date.now())))
  const answer = createFileAnswer(log)
  const live = createLive(status, history)
  return {
    page(res, req, replies) {
      answer(res, req, replies, 'index.html')
    },
    file(res, req, replies) {
      answer(res, req, replies, req.getParameter(0) ?? '')
    },
    live: live.socket,
    close: live.close
  }
}

/** Answers with one of the page's files, which are read when the first is asked for. */
function createFileAnswer(log: Log) {
  let files: Promise<ReadonlyMap<string, PageFile>> | undefined

  const read = async (name: string, isGzipped: boolean) => {
    files ??= readPageFiles()
    const file = (await files).get(name)
    return (
      file && { contentType: file.contentType, body: isGzipped ? file.gzipped : await promisify(gunzip)(file.gzipped) }
    )
  }
  return (res: HttpResponse, req: HttpRequest, { reply, replyProblem }: Replies, name: string) => {
    const isGzipped = acceptsGzip(req.getHeader('accept-encoding'))
    read(name, isGzipped).then(
      file => {
        const encoding = isGzipped ? { 'Content-Encoding': 'gzip' } : {}
        if (file) reply(res, '200 OK', { ...HEADERS, ...encoding, 'Content-Type': file.contentType }, file.body)
        else replyProblem(res, { status: 404, detail: 'The live page is at /dashboard.' })
      },
      (error: unknown) => {
        log.error({ err: error }, 'page not read')
        files = undefined
        replyProblem(res, unavailable('The page cannot be read now.'))
      }
    )
  }
}
