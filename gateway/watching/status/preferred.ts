import type { PreferredProcessor } from '../../../shared/payment.ts'

/**
 * Why the health monitor prefers a processor, in words; the workers go by what they see themselves where they know
 * better.
 */
export function whyPreferred(
  preferred: PreferredProcessor | null,
  isKnown: { default: boolean; fallback: boolean },
  isFailing: { default: boolean; fallback: boolean }
): string {
  const heard = (name: 'default' | 'fallback') =>
    isKnown[name] ? '' : `, as far as is known: nothing was heard of ${name}`
  switch (preferred) {
    case 'default':
      return isFailing.default
        ? 'by its last health poll default works, but the workers get nothing booked there now'
        : `default works${heard('default')}, and it is the cheaper one; a delay costs no money`
    case 'fallback':
      return `default is failing by its last health poll, and fallback works${heard('fallback')}`
    case 'none':
      return 'both processors are failing by their last health polls, so payments wait'
    case null:
      return 'nobody publishes health; the workers go by what they see themselves'
  }
}
