import { setImmediate } from 'node:timers/promises'
import type { Log } from '../shared/log.ts'
import type { Functions } from '../shared/redis/functions.ts'
import type { WorkerLoop } from './loop.ts'

export type TakeOverOptions = {
  name: string
  functions: Functions
  loop: Pick<WorkerLoop, 'hasInHand' | 'adopt' | 'onWorkerCount' | 'onMalformed'>
  deadAfterMs: number
  log: Log
}

/** Payments taken over in one call. */
const RECLAIM_MAX = 200

/**
 * One heartbeat: shows that this worker lives, takes over what dead workers had in flight, and what Redis
 * says this worker has but it never heard of, because the reply to a take was lost.
 *
 * @returns the time of Redis that everybody goes by, in ms; see shared/redis/lua/clock.lua
 */
export async function beatAndTakeOver({ name, functions, loop, deadAfterMs, log }: TakeOverOptions): Promise<number> {
  const { nowMs, pendingCount, workerCount, deadWorkers } = await functions.beat(name, deadAfterMs)
  loop.onWorkerCount(workerCount)
  const takeOver = async (entryIds: readonly string[]) => {
    const { payments, freedCount, malformed } = await functions.reclaim(name, entryIds)
    loop.adopt(payments)
    loop.onMalformed(malformed)
    return { reclaimed: payments.length, freed: freedCount, moved: payments.length + freedCount + malformed.length }
  }
  for (const deadWorker of deadWorkers) {
    const taken = { reclaimed: 0, freed: 0 }
    let after: string | undefined
    while (true) {
      // Each entry only once: if two workers take each other for dead, entries go to and fro between them meanwhile.
      const entryIds = await functions.pending(deadWorker, RECLAIM_MAX, after)
      if (entryIds.length === 0) break
      after = entryIds.at(-1)
      const { reclaimed, freed } = await takeOver(entryIds)
      taken.reclaimed += reclaimed
      taken.freed += freed
    }
    const isRetired = await functions.retire(deadWorker)
    if (isRetired || taken.reclaimed + taken.freed > 0)
      log.warn({ deadWorker, ...taken }, 'took over from a dead worker')
  }

  if (pendingCount === 0) return nowMs
  const ownEntryIds = await functions.pending(name, pendingCount)
  // One connection carries takes and this list, in order: what was taken before the list has been heard of
  // once all replies that came with it are dealt with.
  await setImmediate()
  const unheardOf = ownEntryIds.filter(entryId => !loop.hasInHand(entryId))
  if (unheardOf.length === 0) return nowMs
  const { reclaimed, freed, moved } = await takeOver(unheardOf)
  // None is usual: a settle that was under way is done by now.
  if (moved > 0) log.warn({ reclaimed, freed }, 'took over own payments after a lost reply')
  return nowMs
}
