import { isUtf8 } from 'node:buffer'
import { centsFromDecimal, decimalFromCents, type Cents } from '../shared/money.ts'
import type { Payment } from '../shared/payment.ts'
import type { Problem } from './problem.ts'

/** RFC 9562, section 4: any version, upper or lower case. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Folds the letter case; undefined for what is no UUID. */
export function parseUuid(text: string): string | undefined {
  return UUID.test(text) ? text.toLowerCase() : undefined
}

/** Unknown fields are ignored, but not at any depth: nobody means a payment by this. */
const NESTING_MAX = 16

export type Decoded = { payment: Payment } | { problem: Problem }

/** Reads a `POST /payments` body. Any problem names the field and says what was wanted. */
export function decodePaymentBody(body: Buffer, maxCents: Cents): Decoded {
  if (!isUtf8(body)) return bad('The body must be JSON in UTF-8.')
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    return bad('The body must be one JSON object, for example {"correlationId":"<UUID>","amount":19.90}.')
  }
  if (!isObject(value)) return bad('The body must be a JSON object with correlationId and amount.')
  if (!isNestedAtMost(value, NESTING_MAX)) return bad(`The body must not be nested deeper than ${NESTING_MAX} levels.`)

  const { correlationId, amount } = value
  if (correlationId === undefined) return bad('correlationId is missing; it must be a UUID.', 'correlationId')
  const id = typeof correlationId === 'string' ? parseUuid(correlationId) : undefined
  if (id === undefined) {
    return bad('correlationId must be a UUID in its text form, 8-4-4-4-12 hex digits.', 'correlationId')
  }
  if (amount === undefined) return bad('amount is missing; it must be a number above 0.', 'amount')
  if (typeof amount !== 'number') return bad(`amount must be a JSON number, not ${kindOf(amount)}.`, 'amount')
  if (!(amount > 0)) return bad('amount must be above 0.', 'amount')
  if (amount > maxCents / 100) return bad(`amount must be at most ${decimalFromCents(maxCents)}.`, 'amount')
  const cents = centsFromDecimal(amount)
  if (cents === undefined) return bad('amount must have at most two decimals.', 'amount')
  return { payment: { correlationId: id, cents } }
}

function bad(detail: string, field?: string): Decoded {
  return { problem: { status: 400, detail, ...(field !== undefined && { field }) } }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isNestedAtMost(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every(inner => isNestedAtMost(inner, levels - 1))
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
