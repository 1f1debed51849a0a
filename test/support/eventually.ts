import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 5

/**
 * For what happens sooner or later by itself. It costs time only where that does not come, so no slow machine needs all
 * of it.
 */
export const PATIENCE_MS = 60_000

/** A suite that runs for longer has got stuck. The limit of a suite counts for all of its tests together. */
export const STUCK_AFTER_MS = 600_000

type Yes<T> = NonNullable<Exclude<T, false>>

/**
 * Asks until the answer is neither false nor missing, and returns it. An error that `ask` throws counts as no.
 *
 * @throws after `timeoutMs`, with what was waited for and the last answer
 */
export async function eventually<T>(what: string, ask: () => T | Promise<T>, timeoutMs = PATIENCE_MS): Promise<Yes<T>> {
  const deadlineMs = performance.now() + timeoutMs
  while (true) {
    let last: unknown
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== null && answer !== false) return answer as Yes<T>
      last = answer
    } catch (error) {
      last = error
    }
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what} (last: ${String(last)})`)
    await sleep(POLL_MS)
  }
}
