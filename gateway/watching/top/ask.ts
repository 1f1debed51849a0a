import http from 'node:http'
import https from 'node:https'
import { parseStatus, type ReceivedStatus } from './status-json.ts'

/** Where to ask, and how a person calls it. */
export type Address = { shown: string; options: http.RequestOptions & { protocol: string } }

export type Answer = { status: ReceivedStatus; body: string } | { trouble: string }

/** A gateway gives up on Redis after a second, and answers then. */
const TIMEOUT_MS = 3_000

/** 9998, host:9998, http://host:9998, unix:/path.sock; undefined for anything else. */
export function parseAddress(text: string): Address | undefined {
  const socketPath = /^unix:(\/.+)$/.exec(text)?.[1]
  if (socketPath !== undefined)
    return { shown: text, options: { protocol: 'http:', socketPath, host: 'gateway', path: '/status' } }
  const url = URL.parse(
    /^\d+$/.test(text) ? `http://localhost:${text}` : /^https?:\/\//.test(text) ? text : `http://${text}`
  )
  if (url?.pathname !== '/' || url.search !== '') return undefined
  return {
    shown: url.origin,
    options: { protocol: url.protocol, host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port, path: '/status' }
  }
}

/** Asks once; never rejects. */
export async function askForStatus({ shown, options }: Address): Promise<Answer> {
  try {
    const { code, body } = await get(options)
    if (code === 404)
      return {
        trouble: `${shown} answers 404 to GET /status: it is closed there (STATUS=closed), or nothing of the pipeline`
      }
    if (code !== 200) return { trouble: `${shown} answers ${code}${detailOf(body)}` }
    const status = parseStatus(body)
    return status ? { status, body } : { trouble: `what ${shown} answers is no status of this version` }
  } catch (error) {
    return { trouble: reasonOf(error, shown) }
  }
}

function get(options: Address['options']): Promise<{ code: number; body: string }> {
  return new Promise((resolve, reject) => {
    const { request } = options.protocol === 'https:' ? https : http
    const asked = request({ ...options, signal: AbortSignal.timeout(TIMEOUT_MS) }, response => {
      let body = ''
      response
        .setEncoding('utf8')
        .on('data', (text: string) => {
          body += text
        })
        .on('error', reject)
        .on('end', () => resolve({ code: response.statusCode ?? 0, body }))
    })
    asked.on('error', reject).end()
  })
}

/** What problem JSON says of itself. */
function detailOf(body: string): string {
  const detail = /"detail":"([^"\\]*)"/.exec(body)?.[1]
  return detail === undefined ? '' : `, "${detail}"`
}

function reasonOf(error: unknown, shown: string): string {
  const { code, name } = error as NodeJS.ErrnoException
  switch (code ?? name) {
    case 'ABORT_ERR':
    case 'TimeoutError':
      return `${shown} did not answer within ${TIMEOUT_MS / 1_000} s`
    case 'ECONNREFUSED':
    case 'ENOENT':
      return `nothing listens at ${shown}`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `there is no host ${shown}`
    default:
      return `${shown} cannot be asked (${code ?? String(error)})`
  }
}
