import type { Redis } from 'ioredis'
import { digitsOf, settledIdRecord } from '../id-memory.ts'
import { MEASURES, WORKER_GROUP, type Keys } from '../keys.ts'
import type { ProcessorName } from '../payment.ts'
import { cellsOf, isFine } from '../totals.ts'
import { exactSinceOf } from './errors.ts'
import { callFunction } from './library.ts'
import type { BookedPayment } from './queued-payment.ts'
import { textList } from './replies.ts'

/** The end of a payment: counts what a processor has booked. */
export function createSettling(redis: Redis, keys: Keys) {
  /** As ISO time; '' while nothing was forgotten. The last answer of Redis: it changes once a minute. */
  let exactSince = ''
  return {
    /** Counts payments that `processor` has booked. Returns how many of them were counted by this call. */
    async settle(processor: ProcessorName, booked: readonly BookedPayment[]): Promise<number> {
      let uncounted = booked
      while (uncounted.length > 0) {
        const callKeys = [keys.queue, keys.inFlight, keys.idPeriods, keys.idNodes, keys.totalsExactSince]
        const args: (string | number)[] = [WORKER_GROUP, processor, exactSince, uncounted.length]
        for (const { entryId, correlationId, cents, requestedAtMs } of uncounted) {
          args.push(entryId, digitsOf(correlationId), settledIdRecord(cents, processor, requestedAtMs))
        }
        addIncrements(keys, processor, uncounted, exactSince, callKeys, args)
        try {
          const settledBefore = new Set(textList(await callFunction(redis, 'settle', callKeys, args)))
          if (settledBefore.size === 0) break
          // All or none: the others are counted by the next round.
          uncounted = uncounted.filter(payment => !settledBefore.has(payment.entryId))
        } catch (error) {
          const since = exactSinceOf(error)
          if (since === undefined) throw error
          exactSince = since
        }
      }
      return uncounted.length
    }
  }
}

/**
 * Adds what a batch adds to the totals, summed per field first, so that Redis does it once a field and not once a
 * payment. The finer levels leave out what is older than they remember.
 */
function addIncrements(
  keys: Keys,
  processor: ProcessorName,
  booked: readonly BookedPayment[],
  exactSince: string,
  callKeys: string[],
  args: (string | number)[]
): void {
  type Sum = { requests: number; cents: number }
  const byTime = new Map<number, Sum>()
  for (const { requestedAtMs, cents } of booked) {
    const sum = byTime.get(requestedAtMs)
    if (sum) {
      sum.requests += 1
      sum.cents += cents
    } else byTime.set(requestedAtMs, { requests: 1, cents })
  }

  const byWindow = new Map<string, Map<number, Sum>>()
  for (const [timeMs, { requests, cents }] of byTime) {
    for (const { window, field } of cellsOf(timeMs)) {
      if (isFine(window) && window < exactSince.slice(0, window.length)) continue
      const fields = byWindow.get(window) ?? new Map<number, Sum>()
      byWindow.set(window, fields)
      const sum = fields.get(field)
      if (sum) {
        sum.requests += requests
        sum.cents += cents
      } else fields.set(field, { requests, cents })
    }
  }

  for (const [window, fields] of byWindow) {
    for (const measure of MEASURES) {
      const keyIndex = callKeys.push(keys.totals(processor, measure, window))
      for (const [field, sum] of fields) args.push(keyIndex, field, sum[measure])
    }
  }
}
