import { setTimeout as sleep } from 'node:timers/promises'
import { PROCESSOR_NAMES, type ProcessorName } from '../shared/payment.ts'
import { holdLease } from '../shared/redis/lease.ts'
import { createPolling, type PollingOptions } from './polling.ts'

export type MonitorOptions = Omit<PollingOptions, 'signal'>

export type Monitor = {
  /** Ends polling and gives the lease back. */
  stop: () => Promise<void>
}

/** How soon after the death of the active monitor another one takes over. */
const LEASE_MS = 3_000
const PASSIVE_EVERY_MS = 100

/** Of several monitors the one with the lease polls, the others wait for it to expire. */
export function startMonitor(options: MonitorOptions): Monitor {
  const { name, redis, keys, tally, log } = options
  const stopping = new AbortController()
  const { signal } = stopping
  const polling = createPolling({ ...options, signal })
  const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => undefined)

  const noteActive = (isNow: boolean) => {
    if (isNow !== tally.isActive) log.info(isNow ? 'active: polling the processors' : 'passive: another monitor polls')
    tally.isActive = isNow
  }

  const stayActive = async () => {
    while (!signal.aborted) {
      const hasLease = await holdLease(redis, keys.healthMonitor, name, LEASE_MS).catch(() => false)
      if (hasLease && !tally.isActive) await polling.takeOver()
      noteActive(hasLease)
      await pause(LEASE_MS / 3)
    }
  }

  const pollWhileActive = async (processor: ProcessorName) => {
    while (!signal.aborted) {
      let waitMs = PASSIVE_EVERY_MS
      try {
        if (tally.isActive) waitMs = await polling.poll(processor)
      } catch (error) {
        log.debug({ err: error }, 'poll not published')
      }
      await pause(Math.min(waitMs, 1_000))
    }
  }

  const running = Promise.all([stayActive(), ...PROCESSOR_NAMES.map(pollWhileActive)])

  return {
    async stop() {
      stopping.abort()
      await running
      if (tally.isActive) await redis.del(keys.healthMonitor)
    }
  }
}
