// The model knows nothing of the pipeline's own code for money and payments: a mistake there has to show up as a
// difference between the two sets of books, not to be made twice.

/** A payment as the processor stores it. */
export type StoredPayment = {
  /** UUID in lower case; the primary key. */
  id: string
  /** Whole cents, a safe integer. */
  cents: number
  requestedAtMs: number
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
// Date.parse alone would also take "1" and "March 7".
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?$/

/** The body of `POST /payments`, or undefined when it is not one. Times are kept to the millisecond. */
export function decodePayment(body: string): StoredPayment | undefined {
  const parsed = parseObject(body)
  if (parsed === undefined) return undefined
  const { correlationId, amount, requestedAt } = parsed
  if (typeof correlationId !== 'string' || !UUID.test(correlationId)) return undefined
  if (typeof amount !== 'number' || typeof requestedAt !== 'string') return undefined
  const cents = centsRounded(amount)
  const requestedAtMs = parseTime(requestedAt)
  if (cents === undefined || requestedAtMs === undefined) return undefined
  return { id: correlationId.toLowerCase(), cents, requestedAtMs }
}

export function parseObject(body: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(body)
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
    return isObject ? (parsed as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Milliseconds since 1970; a time without zone is UTC. Undefined when it is no ISO 8601 time. */
export function parseTime(text: string): number | undefined {
  const match = ISO_TIME.exec(text)
  if (match === null) return undefined
  const hasZone = match[2] !== undefined
  const timeMs = Date.parse(hasZone ? text : `${text}Z`)
  return Number.isNaN(timeMs) ? undefined : timeMs
}

/**
 * Rounds to two decimals as a decimal column does: half away from zero, on the digits as they were written. 10.005
 * is 1001, although the double nearest to it lies below. Undefined for zero, less, and more than is exact.
 */
export function centsRounded(amount: number): number | undefined {
  if (!(amount > 0)) return undefined
  const scaled = Math.round(amount * 100)
  if (!Number.isSafeInteger(scaled)) return undefined
  // The usual case, two decimals or fewer: dividing back finds the same double.
  if (scaled / 100 === amount) return scaled
  // The shortest text of a double is what was written, up to 15 digits. No match is an exponent: below 0.000001.
  const [, whole = '0', hundredths = '0', next = '0'] = /^(\d+)\.(\d\d)(\d)/.exec(String(amount)) ?? []
  return Number(whole) * 100 + Number(hundredths) + (next >= '5' ? 1 : 0)
}

/** A whole number of units of 10^-places as a decimal: (1990n, 2) is "19.90", (995000n, 6) is "0.995". */
export function decimal(units: bigint, places: number): string {
  const digits = units.toString().padStart(places + 1, '0')
  const fraction = digits.slice(-places).replace(/0+$/, '').padEnd(2, '0')
  return `${digits.slice(0, -places)}.${fraction}`
}

/** The reply of `GET /payments/{id}`. */
export function renderPayment({ id, cents, requestedAtMs }: StoredPayment): string {
  const requestedAt = new Date(requestedAtMs).toISOString()
  return `{"correlationId":"${id}","amount":${decimal(BigInt(cents), 2)},"requestedAt":"${requestedAt}"}`
}
