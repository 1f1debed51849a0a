import type { Redis } from 'ioredis'
import type { Health } from '../shared/health.ts'
import type { Keys } from '../shared/keys.ts'
import type { Log } from '../shared/log.ts'
import type { PreferredProcessor, ProcessorName } from '../shared/payment.ts'
import type { Poller, PollResult } from './poller.ts'
import { preferredOf } from './preference.ts'
import { publish, readHealth } from './publish.ts'
import { notePoll, type Tally } from './tally.ts'

export type PollingOptions = {
  name: string
  redis: Redis
  keys: Keys
  pollers: Record<ProcessorName, Poller>
  pollEveryMs: number
  /** What the pollers take at most. */
  pollTimeoutMs: number
  nowMs: () => number
  tally: Tally
  log: Log
  /** Ends a poll that is under way; nothing of it is published. */
  signal: AbortSignal
}

export type Polling = {
  /** What the monitor before this one knew counts until this one has asked for itself. */
  takeOver: () => Promise<void>
  /** Polls a processor if it is time, and publishes what that changes; returns in how many ms the next poll is due. */
  poll: (processor: ProcessorName) => Promise<number>
}

/** A processor allows one health call in this time. */
const PROCESSOR_WINDOW_MS = 5_000
/**
 * What is published outlives one poll by so much: while a monitor lives, it is replaced before it expires, also by a
 * processor that hangs and on a busy machine.
 */
const EXPIRY_MARGIN_MS = 5_000

/** A poll wants a permit that lives in Redis for the whole period, so that no restart asks a processor too early. */
export function createPolling(options: PollingOptions): Polling {
  const { name, redis, keys, pollers, pollEveryMs, pollTimeoutMs, tally, log, signal } = options
  // Until its answer is here a poll may arrive as late as its time-out, also if this monitor dies in between.
  const permitMs = pollEveryMs + pollTimeoutMs
  const health: Record<ProcessorName, Health | undefined> = { default: undefined, fallback: undefined }
  const noteTrouble = createTroubleLog(log)
  let published: PreferredProcessor | undefined

  const getPermit = async (processor: ProcessorName): Promise<boolean> => {
    const askedAtMs = performance.now()
    const permit = await redis.set(keys.healthPolled(processor), name, 'PX', permitMs, 'NX')
    if (permit === null) return false
    const isFresh = performance.now() - askedAtMs <= pollEveryMs - PROCESSOR_WINDOW_MS
    // A permit that was long on its way is not used: the next poll could follow this one too soon.
    if (!isFresh) await redis.del(keys.healthPolled(processor))
    return isFresh
  }

  const publishHealth = async () => {
    const preferred = preferredOf(health)
    await publish(redis, keys, preferred, health, permitMs + EXPIRY_MARGIN_MS)
    if (preferred !== published)
      log.info({ preferred, before: published ?? null, ...health }, 'preferred processor changed')
    published = preferred
  }

  const pollIfPermitted = async (processor: ProcessorName) => {
    if (!(await getPermit(processor))) return
    const result = await pollers[processor].poll(signal)
    if (signal.aborted) return
    notePoll(tally, processor, result, options.nowMs())
    // The processor may have got the poll as late as this, and counts from there.
    await redis.set(keys.healthPolled(processor), name, 'PX', pollEveryMs)
    noteTrouble(processor, result)
    if (result.kind === 'too-early') return
    health[processor] = result.health
    await publishHealth()
  }

  return {
    async takeOver() {
      Object.assign(health, await readHealth(redis, keys).catch(() => ({})))
    },
    async poll(processor) {
      await pollIfPermitted(processor)
      const leftMs = await redis.pttl(keys.healthPolled(processor))
      // Longer than any permit lasts: the clock of Redis has stepped back since.
      if (leftMs > permitMs) await redis.pexpire(keys.healthPolled(processor), pollEveryMs)
      return Math.max(leftMs, 1)
    }
  }
}

/** One line when a processor's trouble begins, changes or ends, not one a poll. */
function createTroubleLog(log: Log): (processor: ProcessorName, result: PollResult) => void {
  const troubles = new Map<ProcessorName, string>()
  return (processor, result) => {
    const reason = result.kind === 'trouble' ? result.reason : result.kind === 'too-early' ? 'status 429' : undefined
    if (reason === troubles.get(processor)) return
    if (reason === undefined) {
      log.info({ processor }, 'health poll works again')
      troubles.delete(processor)
    } else {
      log.warn({ processor, reason }, 'health poll in trouble')
      troubles.set(processor, reason)
    }
  }
}
