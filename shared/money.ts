declare const brand: unique symbol

/** Money as whole cents, from 1 to CENTS_MAX. Only this file makes one. */
export type Cents = number & { readonly [brand]: 'Cents' }

/**
 * The most that one payment can be: 1,000,000,000.00. Redis counts what one processor got in a year in 64 bits with a
 * sign, up to
 * 92,233,720,368,547,758.07. That is 92 million payments of this amount; of the default MAX_AMOUNT, a thousandth, it is
 * 92 billion, 2,900 a second for the whole year. Beyond that a settle call would fail in the middle.
 */
export const CENTS_MAX = 100_000_000_000
const CENTS_DIGITS_MAX = String(CENTS_MAX).length

/**
 * 19.9 becomes 1990. Undefined for anything that is not a number from 0.01 to the maximum with at most two decimals:
 * more decimals are refused, not rounded.
 */
export function centsFromDecimal(value: unknown): Cents | undefined {
  if (typeof value !== 'number') return undefined
  const scaled = Math.round(value * 100)
  // Dividing back is exact for two-decimal input: both sides are the double nearest to it.
  return isCents(scaled) && scaled / 100 === value ? scaled : undefined
}

/** A decimal as JSON writes numbers, without sign. */
const DECIMAL = /^(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i

/**
 * The same from the number's text, which says more than its double: 19.9000000000000000001 is refused, 19.900 and
 * 1.99e1 become 1990.
 */
export function centsFromDecimalText(text: string): Cents | undefined {
  const [, whole, decimals = '', exponent = '0'] = DECIMAL.exec(text) ?? []
  if (whole === undefined) return undefined
  const digits = whole + decimals
  const [first, end] = [digits.search(/[1-9]/), endOfDigits(digits)]
  // The cents are the digits from the first to the last that is not 0, and behind them as many zeros as this.
  const zeroCount = digits.length - end + Number(exponent) - decimals.length + 2
  if (first < 0 || zeroCount < 0 || zeroCount > CENTS_DIGITS_MAX) return undefined
  return centsFromDigits(digits.slice(first, end) + '0'.repeat(zeroCount))
}

/** Behind the last digit that is not 0. Not by a pattern, which would begin anew at each of many zeros. */
function endOfDigits(digits: string): number {
  let end = digits.length
  while (digits[end - 1] === '0') end -= 1
  return end
}

/** The digits of whole cents, as Redis stores them: "1990" becomes 1990. Undefined for anything else. */
export function centsFromDigits(digits: string): Cents | undefined {
  const cents = /^[1-9]\d{0,11}$/.test(digits) ? Number(digits) : 0
  return isCents(cents) ? cents : undefined
}

function isCents(value: number): value is Cents {
  return value >= 1 && value <= CENTS_MAX
}

/** Money leaves the system as a decimal with two places: 1990 becomes "19.90". Exact at any size. */
export function decimalFromCents(cents: number | bigint): string {
  const digits = cents.toString().padStart(3, '0')
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** The same for a difference, which may be below 0. */
export function signedDecimalFromCents(cents: bigint): string {
  return cents < 0n ? `-${decimalFromCents(-cents)}` : decimalFromCents(cents)
}
