import { setTimeout as sleep } from 'node:timers/promises'
import { differences, requestsIn, type Books } from './books.ts'

export type Drained = {
  /** Payments in the processors' books in the end. */
  finallySettled: number
  /** Accepted payments that are still in no processor's books. */
  neverSettled: number
  /** Until nothing was left over and the books agreed; null when the time ran out before. */
  drainMs: number | null
  /** Of the books over everything; empty when they agree. */
  differences: string[]
}

const askEveryMs = 250

/** Waits, at most `maxMs`, until everything accepted is settled and both sets of books agree over everything. */
export async function drain(
  accepted: number,
  maxMs: number,
  readBooks: () => Promise<{ processors: Books; backend: Books }>,
  signal: AbortSignal
): Promise<Drained> {
  const startMs = performance.now()
  while (true) {
    signal.throwIfAborted()
    const { processors, backend } = await readBooks()
    const finallySettled = requestsIn(processors)
    const neverSettled = Math.max(0, accepted - finallySettled)
    const found = differences(processors, backend)
    const spentMs = Math.round(performance.now() - startMs)
    const isDone = neverSettled === 0 && found.length === 0
    if (isDone || spentMs > maxMs) {
      return { finallySettled, neverSettled, drainMs: isDone ? spentMs : null, differences: found }
    }
    await sleep(askEveryMs, undefined, { signal })
  }
}
