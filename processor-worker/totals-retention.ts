import type { Redis } from 'ioredis'
import { MEASURES, type Keys } from '../shared/keys.ts'
import { PROCESSOR_NAMES } from '../shared/payment.ts'
import type { Functions } from '../shared/redis/functions.ts'
import { fineWindowsOfMinute, firstMinuteBelow, HOURS_WINDOW_LENGTH } from '../shared/totals.ts'

export type TotalsRetention = {
  /** One step, at most one a minute when there is no more to forget. Throws what `callFunction` throws. */
  sweep: (nowMs: number) => Promise<void>
}

export type TotalsRetentionOptions = { redis: Redis; keys: Keys; functions: Functions; retentionHours: number }

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
/**
 * What one step looks at, and about what it removes at most: Redis does nothing else meanwhile, for a millisecond or
 * so.
 */
const HOURS_MAX = 24
const NODES_MAX = 1_000

/**
 * Lets the levels of the totals below the minute forget what is older than the retention. Any number of
 * workers may do it at a time: since when the totals are exact is written to Redis before the first node is removed.
 */
export function createTotalsRetention({
  redis,
  keys,
  functions,
  retentionHours
}: TotalsRetentionOptions): TotalsRetention {
  let doneUntilMs = 0

  const fieldsOf = async (windows: readonly string[]): Promise<number[][]> => {
    const names = windows.flatMap(window =>
      PROCESSOR_NAMES.map(processor => keys.totals(processor, 'requests', window))
    )
    const replies = await Promise.all(names.map(name => redis.hkeys(name)))
    return windows.map((_, index) =>
      replies
        .slice(index * PROCESSOR_NAMES.length, (index + 1) * PROCESSOR_NAMES.length)
        .flat()
        .map(Number)
    )
  }

  /** The first minute of the books; undefined while they are empty. */
  const firstMinute = () => firstMinuteBelow(async window => (await fieldsOf([window]))[0] ?? [])

  return {
    async sweep(nowMs) {
      const untilMs = Math.floor((nowMs - retentionHours * HOUR_MS) / MINUTE_MS) * MINUTE_MS
      if (untilMs <= doneUntilMs) return
      const since = await redis.get(keys.totalsExactSince)
      const fromMs = since === null ? await firstMinute() : Date.parse(since)
      if (fromMs === undefined || fromMs >= untilMs) {
        doneUntilMs = untilMs
        return
      }
      const hours: number[] = []
      for (let hourMs = fromMs - (fromMs % HOUR_MS); hourMs < untilMs && hours.length < HOURS_MAX; hourMs += HOUR_MS)
        hours.push(hourMs)
      const minutesOfHours = await fieldsOf(
        hours.map(hourMs => new Date(hourMs).toISOString().slice(0, HOURS_WINDOW_LENGTH))
      )

      let reachedMs = fromMs
      const nodes: string[] = []
      for (const [index, hourMs] of hours.entries()) {
        if (nodes.length >= NODES_MAX) break
        for (const minute of new Set(minutesOfHours[index])) {
          const minuteMs = hourMs + minute * MINUTE_MS
          if (minuteMs >= fromMs && minuteMs < untilMs) nodes.push(...nodesOf(minuteMs))
        }
        reachedMs = Math.min(hourMs + HOUR_MS, untilMs)
      }
      await functions.forgetTotals(reachedMs, nodes)
      if (reachedMs === untilMs) doneUntilMs = untilMs
    }
  }

  function nodesOf(minuteMs: number): string[] {
    return fineWindowsOfMinute(minuteMs).flatMap(window =>
      PROCESSOR_NAMES.flatMap(processor => MEASURES.map(measure => keys.totals(processor, measure, window)))
    )
  }
}
