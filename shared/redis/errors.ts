/** The errors of our own functions, by their first word; lua/errors.lua tells what each means, and what follows it. */
export const LIBRARY_ERRORS = ['PERIOD', 'EXACTSINCE', 'TOTALS', 'WRONGPROCESSOR', 'REPEATED'] as const

/**
 * Redis's own that somebody here reacts to: it is full, the worker group is gone, the worker group is there already.
 */
const REDIS_ERRORS = ['OOM', 'NOGROUP', 'BUSYGROUP'] as const

export type ReplyErrorCode = (typeof LIBRARY_ERRORS)[number] | (typeof REDIS_ERRORS)[number]

const CODES: ReadonlySet<string> = new Set([...LIBRARY_ERRORS, ...REDIS_ERRORS])

/** Whether Redis has answered, with an error; otherwise it is one of the connection, or ours. */
export function isReplyError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** Which of these errors it is; undefined for any other, and for a connection's error. */
export function replyErrorCode(error: unknown): ReplyErrorCode | undefined {
  const word = isReplyError(error) ? /^[A-Z]+/.exec(error.message)?.[0] : undefined
  return word !== undefined && CODES.has(word) ? (word as ReplyErrorCode) : undefined
}

/** What follows the first word of an error, if it is this one. */
function argumentsOf(error: unknown, code: ReplyErrorCode): string[] | undefined {
  return replyErrorCode(error) === code ? (error as Error).message.split(' ').slice(1) : undefined
}

/**
 * The time that decides, and when the newest period of ids began (0 if there is none), in ms, where no period remembers
 * for long enough; undefined for another error.
 */
export function noPeriodOf(error: unknown): { nowMs: number; newestStartMs: number } | undefined {
  const [nowMs, newestStartMs] = argumentsOf(error, 'PERIOD') ?? []
  return nowMs === undefined ? undefined : { nowMs: Number(nowMs), newestStartMs: Number(newestStartMs) }
}

/** Since when the totals are exact, if that is what an error of `sum` or `settle` tells; '' for ever. */
export function exactSinceOf(error: unknown): string | undefined {
  return argumentsOf(error, 'EXACTSINCE')?.[0]?.replace('ever', '')
}
