import type { Redis } from 'ioredis'
import type { Keys } from '../shared/keys.ts'

/** Blocks for at most this long, so that a connection that died in silence is noticed. */
const BLOCK_MS = 1_000

/**
 * Resolves when the queue has an entry newer than `entryId`, or after a second. Entries are not taken
 * here: a function can't block, and only a function takes an entry and records its processor in one step.
 *
 * @param blocking a connection that does nothing else
 */
export async function waitForArrival(blocking: Redis, keys: Keys, entryId: string): Promise<void> {
  await blocking.xread('COUNT', 1, 'BLOCK', BLOCK_MS, 'STREAMS', keys.queue, entryId)
}
