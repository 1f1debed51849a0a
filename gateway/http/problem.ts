/** What went wrong with a request, before it becomes RFC 9457 problem JSON. */
export type Problem = {
  status: keyof typeof STATUS_TEXTS
  /** One sentence for the person at the other end: what was wanted. */
  detail: string
  /** The field or parameter that is wrong. */
  field?: string
  headers?: Record<string, string>
}

const STATUS_TEXTS = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  503: 'Service Unavailable'
} as const

/** The HTTP status line and body of a problem (RFC 9457; `field` is an extension member). */
export function renderProblem({ status, detail, field }: Problem): { statusLine: string; body: string } {
  const title = STATUS_TEXTS[status]
  return {
    statusLine: `${status} ${title}`,
    body: JSON.stringify({ type: 'about:blank', title, status, detail, ...(field !== undefined && { field }) })
  }
}

/** Trouble on our side: the client should come back, nothing that was accepted is lost. */
export function unavailable(detail: string): Problem {
  return { status: 503, detail, headers: { 'Retry-After': '1' } }
}
