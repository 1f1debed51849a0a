/** What one attempt to send a payment proved. */
export type SendOutcome =
  | { kind: 'booked' }
  /** 422: an earlier attempt got through. */
  | { kind: 'already-booked' }
  /** Refused, and nothing is stored; another attempt, also elsewhere, is safe. */
  | { kind: 'not-booked'; reason: string }
  /** Refused for what this very payment is: sending the same here again gets the same answer. */
  | { kind: 'rejected'; reason: string }
  /** Timeout, reset, or an answer that makes no sense: it may be stored, or be stored later. */
  | { kind: 'unknown'; reason: string }

/** Whether it shows that the processor is well. One that rejects a payment for good is at work. */
export function isAtWork({ kind }: SendOutcome): boolean {
  return kind === 'booked' || kind === 'already-booked' || kind === 'rejected'
}

/** What is wrong with the body that was sent: it makes no sense, is too large, is of the wrong type. */
const REJECTIONS = new Set([400, 413, 415])

/** Reads a complete answer to `POST /payments` by the processors' contract. */
export function outcomeOfAnswer(status: number, body: string): SendOutcome {
  if (status === 200)
    return isMessage(body) ? { kind: 'booked' } : { kind: 'unknown', reason: '200 with an unreadable body' }
  if (status === 422) return { kind: 'already-booked' }
  if (REJECTIONS.has(status)) return { kind: 'rejected', reason: `status ${status}` }
  // A 4xx says that the request was not carried out; most are the fault of an address, a token or a proxy, not of the
  // payment. Of the 5xx only the processor's own comes from before the insert; a 502 or 504 may be of a proxy that gave
  // up waiting.
  if (status === 500 || (status >= 400 && status < 500)) return { kind: 'not-booked', reason: `status ${status}` }
  return { kind: 'unknown', reason: `status ${status}` }
}

/** Reads an error: what was never written to a connection was never seen by the processor. */
export function outcomeOfError(error: Error, wasWritten: boolean): SendOutcome {
  const reason = 'code' in error && typeof error.code === 'string' ? error.code : error.message
  return wasWritten ? { kind: 'unknown', reason } : { kind: 'not-booked', reason }
}

function isMessage(body: string): boolean {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null
  } catch {
    return false
  }
}

/** What asking for one payment proved. `absent` proves little: an attempt may still be on its way. */
export type LookupOutcome =
  { kind: 'stored'; requestedAtMs: number; amount: unknown } | { kind: 'absent' } | { kind: 'unknown'; reason: string }

/** Reads a complete answer to `GET /payments/{id}`. */
export function lookupOfAnswer(status: number, body: string, correlationId: string): LookupOutcome {
  if (status === 404) return { kind: 'absent' }
  if (status !== 200) return { kind: 'unknown', reason: `status ${status}` }
  try {
    const stored = JSON.parse(body) as Record<string, unknown> | null
    const requestedAtMs = typeof stored?.requestedAt === 'string' ? Date.parse(stored.requestedAt) : NaN
    const isOurs = typeof stored?.correlationId === 'string' && stored.correlationId.toLowerCase() === correlationId
    if (isOurs && Number.isSafeInteger(requestedAtMs)) return { kind: 'stored', requestedAtMs, amount: stored.amount }
  } catch {
    /* falls through: not what the contract says */
  }
  return { kind: 'unknown', reason: '200 with an unreadable body' }
}
