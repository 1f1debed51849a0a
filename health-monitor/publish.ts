import type { Redis } from 'ioredis'
import { parseHealth, renderHealth, type Health } from '../shared/health.ts'
import type { Keys } from '../shared/keys.ts'
import { PROCESSOR_NAMES, type PreferredProcessor, type ProcessorName } from '../shared/payment.ts'

/**
 * Writes the preferred processor and the facts behind it, all at once and each with an expiry. Tells the workers
 * through the channel of the same name, which costs them nothing when it is no news.
 */
export async function publish(
  redis: Redis,
  keys: Keys,
  preferred: PreferredProcessor,
  health: Record<ProcessorName, Health | undefined>,
  expiresMs: number
): Promise<void> {
  const transaction = redis.multi()
  for (const processor of PROCESSOR_NAMES) {
    const known = health[processor]
    if (known === undefined) continue
    transaction.hset(keys.health(processor), renderHealth(known))
    transaction.pexpire(keys.health(processor), expiresMs)
  }
  transaction.set(keys.preferredProcessor, preferred, 'PX', expiresMs)
  transaction.publish(keys.preferredProcessor, preferred)
  for (const [error] of (await transaction.exec()) ?? []) {
    if (error) throw error
  }
}

/** The facts as they were last published; undefined for a processor whose facts have expired. */
export async function readHealth(redis: Redis, keys: Keys): Promise<Record<ProcessorName, Health | undefined>> {
  const read = async (processor: ProcessorName) => parseHealth(await redis.hgetall(keys.health(processor)))
  return { default: await read('default'), fallback: await read('fallback') }
}
