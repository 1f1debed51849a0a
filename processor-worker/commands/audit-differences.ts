import type { ProcessorName } from '../../shared/payment.ts'

/** One payment as one side has it. */
export type BookedEntry = { cents: number; requestedAtMs: number }

/** One payment as our memory has it, and as both processors answer for it. */
export type PaymentFacts = {
  correlationId: string
  /** Where and how we counted it; undefined while it is not settled. */
  ours: (BookedEntry & { processor: ProcessorName }) | undefined
  theirs: Record<ProcessorName, BookedEntry | undefined>
}

/** What is wrong with one payment, in words; undefined if all books agree. */
export function differenceOf({ ours, theirs }: PaymentFacts): string | undefined {
  if (theirs.default && theirs.fallback) return 'booked at both processors'
  if (ours === undefined) {
    // In flight, or booked a moment ago: not counted yet, which is no difference by itself.
    return undefined
  }
  const other = ours.processor === 'default' ? 'fallback' : 'default'
  const booked = theirs[ours.processor]
  if (!booked)
    return theirs[other]
      ? `counted at ${ours.processor}, booked at ${other}`
      : `counted at ${ours.processor}, booked nowhere`
  if (booked.cents !== ours.cents) return `counted with ${ours.cents} cents, booked with ${booked.cents}`
  if (booked.requestedAtMs !== ours.requestedAtMs) {
    return `counted at ${new Date(ours.requestedAtMs).toISOString()}, booked at ${new Date(booked.requestedAtMs).toISOString()}`
  }
  return undefined
}
