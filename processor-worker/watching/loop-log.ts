import type { Log } from '../../shared/log.ts'
import type { MalformedEntry } from '../../shared/redis/queued-payment.ts'
import type { Breaker } from '../breaker.ts'
import type { Lane, Rejected } from '../lane.ts'
import type { Published } from '../preferred.ts'
import { createBurst, type Burst } from './burst.ts'
import { createTrouble, type Trouble } from './trouble.ts'

/** All that the loop says. */
export type LoopLog = {
  redisTrouble: Trouble
  deadLetters: Burst<Rejected>
  passedOn: Burst<Rejected>
  malformed: (entries: readonly MalformedEntry[]) => void
  breakerTurned: (lane: Lane, before: Breaker, nowMs: number, waitingCount: number) => void
  preferredChanged: (published: Published) => void
  /** Writes what has not been written yet. */
  flush: () => void
}

/** Of events that befall single payments, one line in so long. */
const BURST_MS = 10_000

export function createLoopLog(log: Log): LoopLog {
  const deadLetters = createBurst<Rejected>(BURST_MS, (count, { payment, reason }) =>
    log.error({ count, entryId: payment.entryId, processor: payment.processor, reason }, 'dead letter')
  )
  const passedOn = createBurst<Rejected>(BURST_MS, (count, { payment, reason }) => {
    log.warn(
      { count, entryId: payment.entryId, processor: payment.processor, reason },
      'refused for good, goes to the other processor'
    )
  })
  const malformed = createBurst<MalformedEntry>(BURST_MS, (count, entry) =>
    log.error({ count, ...entry }, 'an entry of the queue is no payment: it is a dead letter now')
  )
  return {
    redisTrouble: createTrouble('exchange', {
      onBegin: error => log.error({ err: error }, 'Redis calls fail'),
      onEnd: afterMs => log.warn({ afterMs }, 'Redis calls work again')
    }),
    deadLetters,
    passedOn,
    malformed(entries) {
      for (const entry of entries) malformed.note(entry)
    },
    breakerTurned({ processor, observed, lastTrouble }, before, nowMs, waitingCount) {
      const figures = { processor, inFlight: observed.inFlightCount, waiting: waitingCount }
      if (observed.breaker.state === 'closed')
        log.info({ ...figures, afterMs: nowMs - before.sinceMs }, 'breaker closed')
      else log.warn({ ...figures, lastTrouble }, 'breaker opened')
    },
    preferredChanged(published) {
      log.info({ preferred: published }, 'preferred processor changed')
    },
    flush() {
      for (const burst of [deadLetters, passedOn, malformed]) burst.flush()
    }
  }
}
