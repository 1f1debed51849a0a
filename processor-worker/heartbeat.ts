import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../shared/log.ts'
import type { TroubleReport } from '../shared/watching/report.ts'
import { createTrouble } from './watching/trouble.ts'

export type Heartbeat = {
  /** Why the last beat failed; undefined while all is well. */
  trouble: () => TroubleReport | undefined
  /** Returns when the last beat is over. */
  stop: () => Promise<void>
}

/** One beat may fail and the next be late: whoever lives must not be taken for dead. */
const BEATS_TO_DEATH = 4

/** Repeats `beat` often enough that a worker that lives is not taken for dead, which happens after `deadAfterMs`. */
export function startHeartbeat(deadAfterMs: number, beat: () => Promise<unknown>, log: Log): Heartbeat {
  const trouble = createTrouble('heartbeat', {
    onBegin: error => log.error({ err: error }, 'heartbeat failed'),
    onEnd: afterMs => log.warn({ afterMs }, 'heartbeat works again')
  })
  const stopping = new AbortController()
  const beating = (async () => {
    while (!stopping.signal.aborted) {
      await beat().then(trouble.end, trouble.begin)
      await sleep(deadAfterMs / BEATS_TO_DEATH, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()
  return {
    trouble: trouble.current,
    async stop() {
      stopping.abort()
      await beating
    }
  }
}
