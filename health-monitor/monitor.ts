import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Health } from '../shared/health.ts'
import type { Keys } from '../shared/keys.ts'
import type { Log } from '../shared/log.ts'
import { PROCESSOR_NAMES, type PreferredProcessor, type ProcessorName } from '../shared/payment.ts'
import { holdLease } from '../shared/redis/lease.ts'
import type { Poller } from './poller.ts'
import { preferredOf } from './preference.ts'
import { publish, readHealth } from './publish.ts'
import { notePoll, type Tally } from './tally.ts'

export type MonitorOptions = {
  name: string
  redis: Redis
  keys: Keys
  pollers: Record<ProcessorName, Poller>
  pollEveryMs: number
  /** What the pollers take at most. */
  pollTimeoutMs: number
  healthExpiresMs: number
  leaseMs: number
  nowMs: () => number
  tally: Tally
  log: Log
}

export type Monitor = {
  /** Ends polling and gives the lease back. */
  stop: () => Promise<void>
}

/** A processor allows one health call in this time. */
const PROCESSOR_WINDOW_MS = 5_000

/**
 * The one active poller. Of several monitors the one with the lease polls, the others wait for it to expire. A poll
 * also wants a permit that lives in Redis for the whole period, so that no restart asks a processor too early.
 */
export function startMonitor(options: MonitorOptions): Monitor {
  const { name, redis, keys, pollers, tally, log } = options
  const health: Record<ProcessorName, Health | undefined> = { default: undefined, fallback: undefined }
  const troubles = new Map<ProcessorName, string>()
  const stopping = new AbortController()
  let published: PreferredProcessor | undefined

  const noteActive = (isNow: boolean) => {
    if (isNow !== tally.isActive) log.info(isNow ? 'active: polling the processors' : 'passive: another monitor polls')
    tally.isActive = isNow
  }

  /** One line when a processor's trouble begins, changes or ends, not one a poll. */
  const noteTrouble = (processor: ProcessorName, reason: string | undefined) => {
    if (reason === troubles.get(processor)) return
    if (reason === undefined) log.info({ processor }, 'health poll works again')
    else log.warn({ processor, reason }, 'health poll in trouble')
    if (reason === undefined) troubles.delete(processor)
    else troubles.set(processor, reason)
  }

  const pollAndPublish = async (processor: ProcessorName) => {
    const askedAtMs = performance.now()
    // Until its answer is here a poll may arrive as late as its time-out, also if this monitor dies in between.
    const permitMs = options.pollEveryMs + options.pollTimeoutMs
    const permit = await redis.set(keys.healthPolled(processor), name, 'PX', permitMs, 'NX')
    if (permit === null) return
    // A permit that was long on its way is not used: the next poll could follow this one too soon.
    if (performance.now() - askedAtMs > options.pollEveryMs - PROCESSOR_WINDOW_MS) {
      await redis.del(keys.healthPolled(processor))
      return
    }
    const result = await pollers[processor].poll(stopping.signal)
    if (stopping.signal.aborted) return
    notePoll(tally, processor, result, options.nowMs())
    // The processor may have got the poll as late as this, and counts from there.
    await redis.set(keys.healthPolled(processor), name, 'PX', options.pollEveryMs)
    noteTrouble(
      processor,
      result.kind === 'trouble' ? result.reason : result.kind === 'too-early' ? 'status 429' : undefined
    )
    if (result.kind === 'too-early') return

    health[processor] = result.health
    const preferred = preferredOf(health)
    await publish(redis, keys, preferred, health, options.healthExpiresMs)
    if (preferred !== published)
      log.info({ preferred, before: published ?? null, ...health }, 'preferred processor changed')
    published = preferred
  }

  const work = async (processor: ProcessorName) => {
    while (!stopping.signal.aborted) {
      let waitMs = 100
      try {
        if (tally.isActive) {
          await pollAndPublish(processor)
          const leftMs = await redis.pttl(keys.healthPolled(processor))
          // Longer than any permit lasts: the clock of Redis has stepped back since.
          if (leftMs > options.pollEveryMs + options.pollTimeoutMs)
            await redis.pexpire(keys.healthPolled(processor), options.pollEveryMs)
          waitMs = Math.max(leftMs, 1)
        }
      } catch (error) {
        log.debug({ err: error }, 'poll not published')
      }
      await sleep(Math.min(waitMs, 1_000), undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }

  const stayActive = async () => {
    while (!stopping.signal.aborted) {
      const hasLease = await holdLease(redis, keys.healthMonitor, name, options.leaseMs).catch(() => false)
      // What the monitor before it knew counts until this one has asked for itself.
      if (hasLease && !tally.isActive) Object.assign(health, await readHealth(redis, keys).catch(() => ({})))
      noteActive(hasLease)
      await sleep(options.leaseMs / 3, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }

  const running = Promise.all([stayActive(), ...PROCESSOR_NAMES.map(work)])

  return {
    async stop() {
      stopping.abort()
      await running
      if (tally.isActive) await redis.del(keys.healthMonitor)
    }
  }
}
