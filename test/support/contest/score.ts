// From what was counted in a run to what the run is worth. Pure, and all money in whole cents until it is shown.

/** What one processor has in its books. */
export type Settled = {
  requests: number
  cents: number
  /** Rounded: fees have fractions of a cent. */
  feeCents: number
  /** e.g. 0.05 */
  feePerTransaction: number
}

/** What a run has counted. */
export type Figures = {
  amountCents: number
  /** Payments sent to the backend, whatever came of it. */
  asked: number
  /** Payments that the backend answered with 2xx. */
  accepted: number
  /** Over all requests to the backend; null when there was none. */
  p99Ms: number | null
  /** Comparisons of the books, and how many found a difference or had no answer from the backend. */
  checks: number
  inconsistencies: number
  /** Comparisons that a processor did not answer in time; they say nothing about the backend. */
  checksUnanswered: number
  /** Whether the backend could be emptied before the run. */
  wasPurged: boolean
  /** In the processors' books at the end of the schedule. */
  default: Settled
  fallback: Settled
}

/** The result as JSON. Money in decimals, counts of payments, times in ms. */
export type Result = {
  /** profit + bonus − fine; 0 when disqualified. */
  total: number
  /** Settled amount − fees. */
  profit: number
  bonusPercent: number
  bonus: number
  fine: number
  /** Everything asked for, settled at the cheaper processor. */
  idealProfit: number
  p99Ms: number | null
  asked: number
  accepted: number
  failedRequests: number
  settledDefault: number
  settledFallback: number
  amountDefault: number
  amountFallback: number
  feesDefault: number
  feesFallback: number
  /** Accepted, but in no processor's books at the end of the schedule. */
  lag: number
  checks: number
  inconsistencies: number
  checksUnanswered: number
  wasPurged: boolean
  /** More settled than asked for. */
  disqualified: boolean
}

const BONUS_BELOW_MS = 11
const BONUS_PERCENT_PER_MS = 2
const BONUS_PERCENT_MAX = 20
const FINE_SHARE = 0.35

/** 2 % for each ms that the p99 lies under 11 ms, in whole percents: 20 % from 1.25 ms down, 0 from 11 ms up. */
export function bonusPercent(p99Ms: number): number {
  return Math.min(BONUS_PERCENT_MAX, Math.max(0, Math.round((BONUS_BELOW_MS - p99Ms) * BONUS_PERCENT_PER_MS)))
}

export function scoreRun(figures: Figures): Result {
  const { asked, accepted, amountCents, p99Ms, checks, inconsistencies, checksUnanswered, wasPurged } = figures
  const byDefault = figures.default
  const byFallback = figures.fallback
  const settled = byDefault.requests + byFallback.requests
  const settledCents = byDefault.cents + byFallback.cents
  const askedCents = asked * amountCents
  const disqualified = settled > asked || settledCents > askedCents

  const profitCents = settledCents - byDefault.feeCents - byFallback.feeCents
  const percent = p99Ms === null ? 0 : bonusPercent(p99Ms)
  const bonusCents = Math.round((profitCents * percent) / 100)
  // Once, however many checks found one.
  const fineCents = inconsistencies > 0 ? Math.round(profitCents * FINE_SHARE) : 0
  const lowestFee = Math.min(byDefault.feePerTransaction, byFallback.feePerTransaction)
  const idealCents = askedCents - Math.round(askedCents * lowestFee)

  return {
    total: disqualified ? 0 : (profitCents + bonusCents - fineCents) / 100,
    profit: profitCents / 100,
    bonusPercent: percent,
    bonus: bonusCents / 100,
    fine: fineCents / 100,
    idealProfit: idealCents / 100,
    p99Ms,
    asked,
    accepted,
    failedRequests: asked - accepted,
    settledDefault: byDefault.requests,
    settledFallback: byFallback.requests,
    amountDefault: byDefault.cents / 100,
    amountFallback: byFallback.cents / 100,
    feesDefault: byDefault.feeCents / 100,
    feesFallback: byFallback.feeCents / 100,
    // A payment whose answer never came may be settled all the same, so there can be more settled than accepted.
    lag: Math.max(0, accepted - settled),
    checks,
    inconsistencies,
    checksUnanswered,
    wasPurged,
    disqualified
  }
}
