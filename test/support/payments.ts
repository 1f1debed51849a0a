import { randomUUID } from 'node:crypto'
import { centsFromDigits, type Cents } from '../../shared/money.ts'
import type { Payment } from '../../shared/payment.ts'

/** Whole cents for a test; fails loudly where the number is none. */
export function cents(amount: number): Cents {
  const value = centsFromDigits(String(amount))
  if (value === undefined) throw new Error(`not whole cents: ${amount}`)
  return value
}

/** A payment nobody has seen before. */
export function newPayment(amountCents = 1_990): Payment {
  return { correlationId: randomUUID(), cents: cents(amountCents) }
}

export function newPayments(count: number, amountCents = 1_990): Payment[] {
  return Array.from({ length: count }, () => newPayment(amountCents))
}

/** Fails where a test expects something to be there. */
export function required<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error('expected a value')
  return value
}
