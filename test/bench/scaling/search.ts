// Looks for the highest rate at which the queue does not grow. Pure.

export type Trial = { rate: number; isSustained: boolean }

const FIRST_RATE = 2_000
const RATE_MIN = 200
/** Near enough: what two runs at one rate differ by. */
const CLOSE = 0.1
const STEP = 50

/**
 * The next rate to try: twice what went well, half of what did not, then between the two. Undefined when it is known
 * well enough.
 */
export function nextRate(trials: readonly Trial[], rateMax: number): number | undefined {
  const rates = (isSustained: boolean) =>
    trials.filter(trial => trial.isSustained === isSustained).map(({ rate }) => rate)
  const [low, high] = [Math.max(0, ...rates(true)), Math.min(Infinity, ...rates(false))]
  if (trials.length === 0) return Math.min(FIRST_RATE, rateMax)
  if (high === Infinity) return low >= rateMax ? undefined : Math.min(low * 2, rateMax)
  if (low === 0) return high <= RATE_MIN ? undefined : Math.max(RATE_MIN, Math.floor(high / 2))
  return high <= low * (1 + CLOSE) + STEP ? undefined : Math.round((low + high) / 2 / STEP) * STEP
}
