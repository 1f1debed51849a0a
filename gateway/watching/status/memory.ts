import type { MemoryParts } from '../../../shared/watching/memory-parts.ts'

/** It costs Redis up to a millisecond, and what fills up does so over minutes. */
const EVERY_MS = 10_000

/**
 * What is weighed at most every 10 s, however often it is asked for: the last parts that are known, null if there are
 * none. Never rejects: that Redis does not answer is said elsewhere, and one that only does not let itself be weighed
 * is no trouble.
 */
export function weighedSeldom(
  weigh: () => Promise<MemoryParts>,
  nowMs: () => number
): () => Promise<MemoryParts | null> {
  let latest: MemoryParts | null = null
  let weighedAtMs = -Infinity
  return async () => {
    if (nowMs() - weighedAtMs < EVERY_MS) return latest
    weighedAtMs = nowMs()
    latest = await weigh().catch(() => latest)
    return latest
  }
}
