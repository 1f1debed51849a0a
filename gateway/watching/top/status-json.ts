import { parseExactly, rawJSON } from '../status/exact-json.ts'
import type { Status } from '../status/status.ts'

/**
 * A status as it comes over the wire; what a double may not hold exactly, money and numbers of payments, stays as it
 * was written.
 */
export type ReceivedStatus = AsText<Status>

type AsText<T> = T extends bigint
  ? string
  : T extends readonly (infer Item)[]
    ? AsText<Item>[]
    : T extends object
      ? { [Key in keyof T]: AsText<T[Key]> }
      : T

const WITH_EXACT_DIGITS = new Set(['payments', 'amount', 'settled', 'fees', 'net'])
const EXPECTED: readonly (keyof Status)[] = [
  'problems',
  'at',
  'processors',
  'preferred',
  'queue',
  'accepting',
  'money',
  'gateways',
  'workers',
  'monitors',
  'redis'
]

/**
 * Undefined for what is no status. Its texts are safe to print: without control characters, whatever the other side
 * says.
 */
export function parseStatus(body: string): ReceivedStatus | undefined {
  try {
    const received = parseExactly(body, (key, value, digits) => {
      if (digits !== undefined && WITH_EXACT_DIGITS.has(key)) return digits
      return typeof value === 'string' ? value.replace(/\p{Cc}/gu, ' ') : value
    })
    return EXPECTED.every(key => Object.hasOwn(Object(received) as object, key))
      ? (received as ReceivedStatus)
      : undefined
  } catch {
    return undefined
  }
}

/** The same JSON on one line, each number as it was written. */
export function inOneLine(body: string): string {
  return JSON.stringify(parseExactly(body, (_key, value, digits) => (digits === undefined ? value : rawJSON(digits))))
}
