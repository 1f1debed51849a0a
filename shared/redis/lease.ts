import type { Redis } from 'ioredis'
import { callFunction } from './library.ts'
import { wholeNumber } from './replies.ts'

/**
 * True while `holder` has the lease, which then lasts `leaseMs` from now; false while somebody else has it. Throws what
 * `callFunction` throws.
 */
export async function holdLease(redis: Redis, key: string, holder: string, leaseMs: number): Promise<boolean> {
  return wholeNumber(await callFunction(redis, 'hold_lease', [key], [holder, leaseMs])) === 1
}
