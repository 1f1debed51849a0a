import type { Payment } from '../../shared/payment.ts'
import type { Choice } from '../../shared/redis/attempt-record.ts'
import type { Functions } from '../../shared/redis/functions.ts'
import type { TakenPayment } from '../../shared/redis/queued-payment.ts'
import { required } from './payments.ts'

export const AT_DEFAULT = { processor: 'default', requestedAtMs: Date.parse('2026-11-21T07:48:20.123Z') } as const

/** The payment that a take hands out next, alone. */
export async function takeOne(
  functions: Functions,
  worker = 'worker',
  choice: Choice = AT_DEFAULT
): Promise<TakenPayment> {
  return required((await functions.take(worker, choice, 1)).payments[0])
}

/** Has them accepted, and takes as many. */
export async function acceptAndTake(
  functions: Functions,
  payments: readonly Payment[],
  worker = 'worker',
  choice: Choice = AT_DEFAULT
): Promise<TakenPayment[]> {
  await functions.accept(payments, 1_000_000)
  return (await functions.take(worker, choice, payments.length)).payments
}
