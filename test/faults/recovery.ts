// How long the pipeline takes to be itself again after a kill.
import { setTimeout as sleep } from 'node:timers/promises'
import { PROCESSOR_NAMES } from '../../shared/payment.ts'
import type { FaultStack } from './harness.ts'
import type { Traffic } from './traffic.ts'

/** In ms from the kill. */
export type Recovery = {
  kind: string
  /** A request that was sent after the kill is accepted. */
  acceptedAgainMs: number
  /** The first payment is settled after it. */
  settledAgainMs: number
  /** Whatever was accepted before the kill is settled. */
  backlogGoneMs: number
}

const POLL_MS = 5

/**
 * Watches until all three are true; gives up, with undefined, when `signal` aborts. Other faults meanwhile count in.
 */
export async function watchRecovery(
  { redis, keys }: FaultStack,
  traffic: Traffic,
  { kind, killedAtMs, signal }: { kind: string; killedAtMs: number; signal: AbortSignal }
): Promise<Recovery | undefined> {
  const killedAtEntry = Date.now() - (performance.now() - killedAtMs)
  const acceptedAgain = traffic.acceptedAgain(killedAtMs)
  const countSettled = async () => {
    const years = await Promise.all(PROCESSOR_NAMES.map(name => redis.hvals(keys.totals(name, 'requests', ''))))
    return years.flat().reduce((sum, count) => sum + Number(count), 0)
  }
  const oldest = async () =>
    Number((await redis.xrange(keys.queue, '-', '+', 'COUNT', 1))[0]?.[0].split('-')[0] ?? Infinity)

  let base: number | undefined
  let settledAgainMs: number | undefined
  let backlogGoneMs: number | undefined
  while (settledAgainMs === undefined || backlogGoneMs === undefined) {
    if (signal.aborted) return undefined
    try {
      const [settled, oldestMs] = await Promise.all([countSettled(), oldest()])
      base ??= settled
      const sinceMs = Math.round(performance.now() - killedAtMs)
      if (settled > base) settledAgainMs ??= sinceMs
      if (oldestMs > killedAtEntry) backlogGoneMs ??= sinceMs
    } catch {
      /* Redis is away: not yet. */
    }
    await sleep(POLL_MS)
  }
  const aborted = new Promise<undefined>(resolve => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  const acceptedAgainMs = await Promise.race([acceptedAgain, aborted])
  if (acceptedAgainMs === undefined) return undefined
  return { kind, acceptedAgainMs: Math.round(acceptedAgainMs), settledAgainMs, backlogGoneMs }
}
