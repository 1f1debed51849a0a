import type { Cents } from './money.ts'

/** The two processors, the cheaper one first. */
export const PROCESSOR_NAMES = ['default', 'fallback'] as const
export type ProcessorName = (typeof PROCESSOR_NAMES)[number]

/** What the health monitor publishes: where a payment should go now. */
export type PreferredProcessor = ProcessorName | 'none'

export function otherThan(processor: ProcessorName): ProcessorName {
  return processor === 'default' ? 'fallback' : 'default'
}

export function isProcessorName(value: unknown): value is ProcessorName {
  return value === 'default' || value === 'fallback'
}

/** One payment as a client asked for it. */
export type Payment = {
  /** RFC 9562 UUID in lower case. */
  correlationId: string
  cents: Cents
}
