// What a contest run does, as a file says it. Read both by k6 and by Node, so nothing of either is used here.

/** How one processor behaves from a stage on. */
export type Behaviour = { delayMs: number; failing: boolean }

export type Stage = { atMs: number; default: Behaviour; fallback: Behaviour }

export type Schedule = {
  durationMs: number
  /** Closed-loop users, growing evenly over the run; each posts a payment, then rests for 1 s. */
  users: { from: number; to: number }
  /** Of every payment, whole cents. */
  amountCents: number
  /** The books are compared this often, the first time at the start. */
  checkEveryMs: number
  /** The newest payments a check looks at are this old. */
  checkLagMs: number
  /** In order of time. */
  stages: Stage[]
}

/** A check looks at the payments of this time. */
export const CHECK_WINDOW_MS = 15_000

/**
 * The schedule of a parsed file; `test/k6/schedules/published.json` shows the form.
 * @throws Error that names the field which is missing or wrong, e.g. "stages[2].default.delayMs"
 */
export function parseSchedule(given: unknown): Schedule {
  const top = fieldsOf(given, 'the schedule', ['durationMs', 'users', 'amount', 'checkEveryMs', 'checkLagMs', 'stages'])
  const durationMs = wholeNumber(top.durationMs, 'durationMs', 1_000, 3_600_000)
  const users = fieldsOf(top.users, 'users', ['from', 'to'])
  if (!Array.isArray(top.stages)) throw new Error('stages must be a list')
  const stages = top.stages.map((stage, index) => parseStage(stage, `stages[${index}]`, durationMs))
  stages.forEach(({ atMs }, index) => {
    const before = stages[index - 1]
    if (before === undefined || before.atMs < atMs) return
    throw new Error(`stages[${index}].atMs must be later than the stage before it`)
  })
  return {
    durationMs,
    users: {
      from: wholeNumber(users.from, 'users.from', 0, 100_000),
      to: wholeNumber(users.to, 'users.to', 1, 100_000)
    },
    amountCents: parseAmount(top.amount, 'amount'),
    checkEveryMs: wholeNumber(top.checkEveryMs, 'checkEveryMs', 100, 3_600_000),
    checkLagMs: wholeNumber(top.checkLagMs, 'checkLagMs', 0, CHECK_WINDOW_MS),
    stages
  }
}

function parseStage(given: unknown, name: string, durationMs: number): Stage {
  const stage = fieldsOf(given, name, ['atMs', 'default', 'fallback'])
  return {
    atMs: wholeNumber(stage.atMs, `${name}.atMs`, 0, durationMs),
    default: parseBehaviour(stage.default, `${name}.default`),
    fallback: parseBehaviour(stage.fallback, `${name}.fallback`)
  }
}

function parseBehaviour(given: unknown, name: string): Behaviour {
  const { delayMs, failing } = fieldsOf(given, name, ['delayMs', 'failing'])
  if (typeof failing !== 'boolean') throw new Error(`${name}.failing must be true or false`)
  return { delayMs: wholeNumber(delayMs, `${name}.delayMs`, 0, 3_600_000), failing }
}

/** Whole cents. @throws Error that names the field */
export function parseAmount(given: unknown, name: string): number {
  const cents = typeof given === 'number' ? Math.round(given * 100) : NaN
  if (!Number.isSafeInteger(cents) || cents <= 0 || cents / 100 !== given) {
    throw new Error(`${name} must be a number above 0 with at most two decimals`)
  }
  return cents
}

/** @throws Error that names the field */
export function wholeNumber(given: unknown, name: string, min: number, max: number): number {
  if (typeof given === 'number' && Number.isInteger(given) && given >= min && given <= max) return given
  throw new Error(`${name} must be a whole number from ${min} to ${max}`)
}

/** Exactly these fields: a misspelt one must not be passed over in silence. */
function fieldsOf(given: unknown, name: string, fields: string[]): Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new Error(`${name} must be an object`)
  const missing = fields.find(field => !(field in given))
  if (missing !== undefined) throw new Error(`${name} has no ${missing}`)
  const unknown = Object.keys(given).find(field => !fields.includes(field))
  if (unknown !== undefined) throw new Error(`${name} has a field ${unknown}, it can only have ${fields.join(', ')}`)
  return given as Record<string, unknown>
}
