import type { Fees } from './money.ts'
import { figuresOf, type Figures, type Reading } from './figures.ts'
import { problemsOf, redisLostProblems } from './problems.ts'
import { renderStatus } from './render.ts'
import type { Status } from './status.ts'

/** A status and the body that tells it. */
export type Snapshot = { status: Status; body: string }

export type StatusSource = {
  /** At most `MAX_AGE_MS` old, however often it is asked for. Never rejects. */
  read: () => Promise<Snapshot>
  /** Has the listener called with each status that is made: all 5 s, or more often while somebody asks. */
  onMade: (listener: (status: Status) => void) => void
}

/** Each gateway reads Redis twice a second at most, however many ask. */
const MAX_AGE_MS = 500
/** Also while nobody asks, so that the last figures before Redis went away are not those of an hour ago. */
const LAST_KNOWN_EVERY_MS = 5_000
/** Redis answers within a millisecond or so; who asks for the status wants to hear soon that it does not. */
const PATIENCE_MS = 1_000

export type StatusOptions = {
  answeredBy: string
  fees: Fees
  readRedis: () => Promise<Reading>
  /** When Redis last answered anything to this gateway, by the same clock as `nowMs`. */
  redisAnsweredAtMs: () => number
  nowMs: () => number
}

/**
 * @throws what Redis answers, if it can't be read for the first time: without that there would be no figures to fall
 *   back on
 */
export async function createStatusSource(options: StatusOptions): Promise<StatusSource> {
  const { answeredBy, fees, readRedis, redisAnsweredAtMs, nowMs } = options
  let readAtMs: number
  let figures: Figures
  let latest: { snapshot: Snapshot; madeAtMs: number }
  const listeners: ((status: Status) => void)[] = []

  const show = (state: Pick<Status, 'problems' | 'isCurrent'>, madeAtMs: number): Snapshot => {
    const status = { ...state, answeredBy, ...figures }
    latest = { snapshot: { status, body: renderStatus(status) }, madeAtMs }
    for (const listener of listeners) listener(status)
    return latest.snapshot
  }
  const readNow = async (): Promise<Snapshot> => {
    const startedAtMs = nowMs()
    figures = figuresOf(await withinPatience(readRedis()), fees)
    readAtMs = startedAtMs
    return show({ problems: problemsOf(figures), isCurrent: true }, startedAtMs)
  }
  const showLost = (error: unknown): Snapshot => {
    const silentMs = nowMs() - Math.max(readAtMs, redisAnsweredAtMs())
    const lostAt = new Date(Date.now() - silentMs).toISOString()
    return show({ problems: redisLostProblems(silentMs / 1_000, lostAt, reasonOf(error)), isCurrent: false }, nowMs())
  }

  await readNow()
  let underWay: Promise<Snapshot> | undefined
  const read = async () => {
    if (nowMs() - latest.madeAtMs < MAX_AGE_MS) return latest.snapshot
    underWay ??= readNow()
      .catch(showLost)
      .finally(() => {
        underWay = undefined
      })
    return await underWay
  }
  setInterval(() => {
    void read()
  }, LAST_KNOWN_EVERY_MS).unref()
  return {
    read,
    onMade: listener => listeners.push(listener)
  }
}

class NoAnswer extends Error {}

async function withinPatience<T>(work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new NoAnswer()), PATIENCE_MS)
  // It may fail when nobody waits for it any more.
  work.catch(() => undefined)
  return await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

function reasonOf(error: unknown): string {
  if (error instanceof NoAnswer) return `nothing within ${PATIENCE_MS / 1_000} s`
  return error instanceof Error && error.name === 'ReplyError' ? error.message : 'no connection'
}
