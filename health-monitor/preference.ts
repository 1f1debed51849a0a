import type { Health } from '../shared/health.ts'
import type { PreferredProcessor, ProcessorName } from '../shared/payment.ts'

/**
 * Where payments should go: to the cheaper processor as long as it works, however slow. A delay costs
 * nothing but time, the other processor costs a tenth of the amount. Unknown health counts as well.
 */
export function preferredOf(health: Record<ProcessorName, Health | undefined>): PreferredProcessor {
  if (health.default?.failing !== true) return 'default'
  return health.fallback?.failing !== true ? 'fallback' : 'none'
}
