import type { PreferredProcessor, ProcessorName } from '../shared/payment.ts'

/** What a poll told about one processor. */
export type Health = {
  failing: boolean
  /** Its present delay; 0 when unknown. */
  minResponseTimeMs: number
  /** When it was asked, in ms since 1970. */
  checkedAtMs: number
}

/**
 * Where payments should go: to the cheaper processor as long as it works, however slow. A delay costs
 * nothing but time, the other processor costs a tenth of the amount. Unknown health counts as well.
 */
export function preferredOf(health: Record<ProcessorName, Health | undefined>): PreferredProcessor {
  if (health.default?.failing !== true) return 'default'
  return health.fallback?.failing !== true ? 'fallback' : 'none'
}
