import type { Redis } from 'ioredis'
import type { Keys } from '../shared/keys.ts'
import { onceRedisAnswers } from '../shared/redis/connect.ts'
import { isProcessorName, type PreferredProcessor } from '../shared/payment.ts'

/** The health monitor's published word; null while nobody publishes. */
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
  subscriber.on('message', (_channel, message) => {
    note(message)
  })
  await onceRedisAnswers(() => subscriber.subscribe(keys.preferredProcessor))
  subscriber.on('ready', () => {
    // Lost again before it was heard: there will be another 'ready'.
    subscriber.subscribe(keys.preferredProcessor).catch(() => undefined)
  })
  const refresh = async () => {
    note(await redis.get(keys.preferredProcessor))
  }
  await onceRedisAnswers(refresh)
  return { refresh }
}
