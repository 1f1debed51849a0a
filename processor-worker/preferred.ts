import type { Redis } from 'ioredis'
import type { Keys } from '../shared/keys.ts'
import { onceRedisAnswers } from '../shared/redis/connect.ts'
import { isProcessorName, type PreferredProcessor, type ProcessorName } from '../shared/payment.ts'
import type { BreakerEvent } from './breaker.ts'

/** What the health monitor publishes; null while no monitor is running. */
export type Published = PreferredProcessor | null

/**
 * Follows the preferred processor: `onChange` is called with the value at the start and with each other one.
 * Changes arrive at once on the channel of the same name; `refresh` reads the key itself, which also shows that it
 * expired.
 */
export async function followPreferred(
  redis: Redis,
  subscriber: Redis,
  keys: Keys,
  onChange: (published: Published) => void
): Promise<{ refresh: () => Promise<void> }> {
  let last: Published | undefined
  const note = (text: string | null) => {
    const published = isProcessorName(text) || text === 'none' ? text : null
    if (published !== last) onChange(published)
    last = published
  }
  subscriber.on('message', (_channel, message) => note(message))
  await onceRedisAnswers(() => subscriber.subscribe(keys.preferredProcessor))
  subscriber.on('ready', () => {
    // Lost again before it was heard: there will be another 'ready'.
    subscriber.subscribe(keys.preferredProcessor).catch(() => undefined)
  })
  const refresh = async () => note(await redis.get(keys.preferredProcessor))
  await onceRedisAnswers(refresh)
  return { refresh }
}

/**
 * The preferred processor as evidence for the breakers: routing goes by those, and not by the preference itself. The
 * monitor prefers default whenever that works, so it then says nothing of fallback.
 */
export function eventsOf(published: PreferredProcessor): [ProcessorName, BreakerEvent][] {
  const WELL = { kind: 'published-well' } as const
  const FAILING = { kind: 'published-failing' } as const
  if (published === 'default') return [['default', WELL]]
  return [
    ['default', FAILING],
    ['fallback', published === 'fallback' ? WELL : FAILING]
  ]
}
