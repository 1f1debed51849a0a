import type { BreakerState, SendOutcomeKind } from '../../../shared/watching/report.ts'

/**
 * What all that is known of a processor comes to:
 *
 *   works           payments get booked there, or there is no sign of the contrary
 *   fails           no worker gets payments booked there
 *   fails-for-some  some workers don't
 *   said-to-fail    its last health poll said so, but the workers have seen nothing of it
 */
export type Verdict = 'works' | 'fails' | 'fails-for-some' | 'said-to-fail'

export type Evidence = {
  breakers: readonly { state: BreakerState; since: string | null }[]
  health: { failing: boolean; checkedAt: string } | null
  /** Of the last ten seconds. */
  answers: Record<SendOutcomeKind, number>
}

export function verdictOf({ breakers, health, answers }: Evidence): Verdict {
  const troubleCount = answers['not-booked'] + answers.unknown
  // An open breaker closes with the next booked payment. While none is sent, a poll since then knows better.
  const isOldNews = (since: string | null) =>
    troubleCount === 0 && health?.failing === false && since !== null && health.checkedAt > since
  const failingCount = breakers.filter(({ state, since }) => state !== 'CLOSED' && !isOldNews(since)).length
  if (failingCount > 0) return failingCount === breakers.length ? 'fails' : 'fails-for-some'
  if (health?.failing !== true) return 'works'
  return breakers.length === 0 ? 'fails' : 'said-to-fail'
}
