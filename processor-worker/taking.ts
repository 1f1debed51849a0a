import type { Functions } from '../shared/redis/functions.ts'
import type { Backlog } from './backlog.ts'
import type { Lanes } from './lane.ts'
import type { Take } from './routing.ts'
import type { Sending } from './sending.ts'
import type { LoopLog } from './watching/loop-log.ts'

export type TakingOptions = {
  /** The worker's name. */
  name: string
  functions: Functions
  lanes: Lanes
  backlog: Backlog
  sending: Sending
  nowMs: () => number
  requestedAtMs: () => number
  loopLog: LoopLog
}

/** Takes payments as routing has chosen, and sends them. */
export function createTaking(options: TakingOptions): (take: Take) => Promise<void> {
  const { name, functions, lanes, backlog, sending, nowMs, requestedAtMs, loopLog } = options
  return async ({ processor, countMax, isProbe, only }) => {
    const startedAtMs = nowMs()
    const choice = { processor, requestedAtMs: requestedAtMs() }
    const { payments, more, waitingCount, malformed } = await functions.take(name, choice, countMax, only)
    backlog.waitingCount = waitingCount
    loopLog.malformed(malformed)
    if (payments.length > 0) backlog.tookAtMs = startedAtMs
    if (isProbe && payments.length > 0) lanes[processor].note({ kind: 'probe-sent' }, nowMs())
    for (const payment of payments) sending.send(payment)
    // A take that was restricted to some payments says nothing about the others.
    if (only === undefined && payments.length === 0 && more.kind === 'none') backlog.ranOut(more.newestEntryId)
  }
}
