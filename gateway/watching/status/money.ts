import { PROCESSOR_NAMES, type ProcessorName } from '../../../shared/payment.ts'
import type { Totals } from '../../../shared/redis/totals.ts'

/** A processor's share of each payment, in millionths: 5 % is 50,000n. */
export type Fees = Record<ProcessorName, bigint>

export type MoneyFigures = {
  settled: bigint
  fees: bigint
  net: bigint
  /** Had everything been settled at the fallback. */
  allOnFallback: { fees: bigint; net: bigint }
}

/** All in cents, exact however large; a fee is rounded once, over the whole sum. */
export function feeOf(cents: bigint, millionths: bigint): bigint {
  return (cents * millionths + 500_000n) / 1_000_000n
}

export function moneyFigures(totals: Record<ProcessorName, Totals>, fees: Fees): MoneyFigures {
  const sum = (amount: (processor: ProcessorName) => bigint) =>
    PROCESSOR_NAMES.reduce((all, processor) => all + amount(processor), 0n)
  const settled = sum(processor => totals[processor].cents)
  const paid = sum(processor => feeOf(totals[processor].cents, fees[processor]))
  const dearest = feeOf(settled, fees.fallback)
  return { settled, fees: paid, net: settled - paid, allOnFallback: { fees: dearest, net: settled - dearest } }
}
