import { isUtf8 } from 'node:buffer'
import { centsFromDecimal, centsFromDecimalText, decimalFromCents, type Cents } from '../shared/money.ts'
import type { Payment } from '../shared/payment.ts'
import type { Problem } from './http/problem.ts'

/** RFC 9562, section 4: any version, upper or lower case. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Folds the letter case; undefined for what is no UUID. */
export function parseUuid(text: string): string | undefined {
  return UUID.test(text) ? text.toLowerCase() : undefined
}

/** Unknown fields are ignored, but not at any depth: nobody means a payment by this. */
const NESTING_MAX = 16

export type Decoded = { payment: Payment } | { problem: Problem }

/** What nearly every client sends, as JSON.stringify writes it, and Python's json.dumps with its blanks. */
const PLAIN_BODY =
  /^\{"correlationId": *"([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})", *"amount": *((?:0|[1-9]\d{0,9})(?:\.\d\d?)?)\}$/

/** Reads a `POST /payments` body. Any problem names the field and says what was wanted. */
export function decodePaymentBody(body: Buffer, maxCents: Cents): Decoded {
  const text = body.toString('utf8')
  return (
    decodePlain(text, maxCents) ?? (isUtf8(body) ? decodeAny(text, maxCents) : bad('The body must be JSON in UTF-8.'))
  )
}

/** Half of what JSON.parse costs. Undefined for any other spelling, and for whatever is wrong. */
function decodePlain(text: string, maxCents: Cents): Decoded | undefined {
  const [, id, amount] = PLAIN_BODY.exec(text) ?? []
  if (id === undefined) return undefined
  // So few digits are exact as a double.
  const cents = centsFromDecimal(Number(amount))
  return cents !== undefined && cents <= maxCents ? { payment: { correlationId: id.toLowerCase(), cents } } : undefined
}

function decodeAny(text: string, maxCents: Cents): Decoded {
  let value: unknown
  try {
    value = JSON.parse(text)
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
  const cents = LONG_NUMBER.test(text) ? centsFromDecimalText(amountText(text)) : centsFromDecimal(amount)
  if (cents === undefined) return bad('amount must have at most two decimals.', 'amount')
  return { payment: { correlationId: id, cents } }
}

/**
 * 19.9000000000000000001 and 19.90 are the same double, so where a number is long its text is looked for, which takes 2
 * to 4 µs. No two decimals of at most 15 digits are the same double.
 */
const LONG_NUMBER = /[\d.]{16}/

/** TypeScript does not know the third parameter yet. */
type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown

/**
 * What stands for the number `amount` of a body that is an object: the last one, if there are several, and not one
 * further inside.
 */
function amountText(body: string): string {
  const texts = new Map<unknown, string>()
  const note: Reviver = function (key, value, { source }) {
    if (key === 'amount' && source !== undefined) texts.set(this, source)
    return value
  }
  const value: unknown = JSON.parse(body, note as Parameters<typeof JSON.parse>[1])
  return texts.get(value) ?? ''
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
  return value === null
    ? 'null'
    : Array.isArray(value)
      ? 'an array'
      : typeof value === 'object'
        ? 'an object'
        : `a ${typeof value}`
}
