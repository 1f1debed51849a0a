declare const brand: unique symbol

/** Money as whole cents, a safe integer of at least 0. Only this file makes one. */
export type Cents = number & { readonly [brand]: 'Cents' }

/**
 * 19.9 becomes 1990. Undefined for anything that is not a number above 0 with at most two decimals:
 * more decimals are refused, not rounded.
 */
export function centsFromDecimal(value: unknown): Cents | undefined {
  if (typeof value !== 'number' || !(value > 0)) return undefined
  const scaled = Math.round(value * 100)
  // Dividing back is exact for two-decimal input: both sides are the double nearest to it.
  return Number.isSafeInteger(scaled) && scaled / 100 === value ? (scaled as Cents) : undefined
}

/** The digits of whole cents, as Redis stores them: "1990" becomes 1990. Undefined for anything else. */
export function centsFromDigits(digits: string): Cents | undefined {
  const cents = Number(digits)
  return /^\d{1,15}$/.test(digits) ? (cents as Cents) : undefined
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
