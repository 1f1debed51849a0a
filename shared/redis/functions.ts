import type { Redis } from 'ioredis'
import type { Keys } from '../keys.ts'
import { createAccepting } from './accepting.ts'
import { createDeadLetters } from './dead-letters.ts'
import { createForwarding } from './forwarding.ts'
import { createPurge } from './purge.ts'
import { createSettling } from './settling.ts'
import { createTakeover } from './takeover.ts'
import { createTotals } from './totals.ts'
import { createWorkerGroup } from './worker-group.ts'

/**
 * The pipeline's functions in Redis, typed, their replies checked. Each is one atomic call; what each
 * guarantees stands with its code in lua/. All throw what `callFunction` throws.
 *
 * @param idRetentionHours how long what is accepted or redriven here is remembered at least; who does neither may leave
 *   it out
 */
export function createFunctions(redis: Redis, keys: Keys, idRetentionHours = 1) {
  return {
    ...createAccepting(redis, keys, idRetentionHours),
    ...createForwarding(redis, keys),
    ...createSettling(redis, keys),
    ...createTakeover(redis, keys),
    ...createDeadLetters(redis, keys, idRetentionHours),
    ...createTotals(redis, keys),
    ...createPurge(redis, keys, idRetentionHours),
    ...createWorkerGroup(redis, keys)
  }
}

export type Functions = ReturnType<typeof createFunctions>
