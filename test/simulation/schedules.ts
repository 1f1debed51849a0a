import type { Schedule, Stage } from '../support/contest/schedule.ts'
import { createRandom, type Random } from '../support/random.ts'

/**
 * How random schedules are drawn. `plausible` is like the published one in kind. `even` takes each figure from its
 * whole range with the same chance, so that mostly far more is asked than both processors can take.
 */
export type Family = 'plausible' | 'even'

/**
 * A schedule that nobody has seen. `plausible` was decided upon before the first policy was tried on it;
 * docs/routing.md gives the reasons.
 */
export function randomSchedule(seed: number, index: number, family: Family): Schedule {
  const random = createRandom(seed, `schedule ${index}`)
  const { user, firstUser, stageSeconds, delayMs } = DRAWS[family]
  const durationMs = random.integer(60, 600) * 1_000
  const to = user(random)
  const from = firstUser(random, to)
  const stages: Stage[] = []
  const behaviour = () => ({ delayMs: delayMs(random), failing: random.chance(0.25) })
  for (let atMs = 0; atMs < durationMs; atMs += stageSeconds(random) * 1_000) {
    stages.push({ atMs, default: behaviour(), fallback: behaviour() })
  }
  return { durationMs, users: { from, to }, amountCents: 1_990, checkEveryMs: 10_000, checkLagMs: 1_500, stages }
}

type Draw = (random: Random) => number

const DRAWS: Record<
  Family,
  { user: Draw; firstUser: (random: Random, to: number) => number; stageSeconds: Draw; delayMs: Draw }
> = {
  plausible: {
    user: random => logarithmic(random, 100, 2_000),
    firstUser: (random, to) => (random.chance(0.5) ? 1 : random.integer(1, to)),
    stageSeconds: random => logarithmic(random, 5, 60),
    delayMs: random => (random.chance(0.4) ? 0 : logarithmic(random, 10, 5_000))
  },
  even: {
    user: random => random.integer(1, 2_000),
    firstUser: random => random.integer(1, 2_000),
    stageSeconds: random => random.integer(5, 60),
    delayMs: random => random.integer(0, 5_000)
  }
}

/** Whole; each order of magnitude as likely as any other. */
function logarithmic(random: Random, min: number, max: number): number {
  return Math.round(min * (max / min) ** random.fraction())
}
