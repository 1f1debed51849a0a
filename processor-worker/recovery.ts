import { setImmediate } from 'node:timers/promises'
import type { Log } from '../shared/log.ts'
import type { Functions } from '../shared/redis/functions.ts'
import type { WorkerLoop } from './loop.ts'

export type RecoveryOptions = {
  name: string
  functions: Functions
  loop: Pick<WorkerLoop, 'holds' | 'adopt' | 'onWorkerCount'>
  deadAfterMs: number
  log: Log
}

/** Payments taken over in one call. */
const RECLAIM_MAX = 200

/**
 * One heartbeat: shows that this worker lives, takes over what dead workers had in flight, and what Redis
 * says this worker has but it never heard of, because the reply to a take was lost.
 */
export async function recover({ name, functions, loop, deadAfterMs, log }: RecoveryOptions): Promise<void> {
  const { pendingCount, workerCount, deadWorkers } = await functions.beat(name, deadAfterMs)
  loop.onWorkerCount(workerCount)
  for (const deadWorker of deadWorkers) {
    let reclaimedCount = 0
    while (true) {
      const entryIds = await functions.pending(deadWorker, RECLAIM_MAX)
      if (entryIds.length === 0) break
      const payments = await functions.reclaim(name, entryIds)
      loop.adopt(payments)
      reclaimedCount += payments.length
      // Somebody else was faster with the rest.
      if (payments.length === 0) break
    }
    const isRetired = await functions.retire(deadWorker)
    if (isRetired || reclaimedCount > 0) log.warn({ deadWorker, reclaimed: reclaimedCount }, 'took over from a dead worker')
  }

  if (pendingCount === 0) return
  const ownEntryIds = await functions.pending(name, pendingCount)
  // One connection carries takes and this list, in order: what was taken before the list has been heard of
  // once all replies that came with it are dealt with.
  await setImmediate()
  const unheardOf = ownEntryIds.filter(entryId => !loop.holds(entryId))
  if (unheardOf.length === 0) return
  const payments = await functions.reclaim(name, unheardOf)
  loop.adopt(payments)
  // None is usual: a settle that was under way is done by now.
  if (payments.length > 0) log.warn({ reclaimed: payments.length }, 'took over own payments after a lost reply')
}
