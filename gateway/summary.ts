import { decimalFromCents } from '../shared/money.ts'
import { PROCESSOR_NAMES, type ProcessorName } from '../shared/payment.ts'
import type { TimeRange, Totals } from '../shared/redis/totals.ts'
import type { Problem } from './http/problem.ts'

/**
 * Milliseconds since 1970 of an ISO 8601 UTC time with at most milliseconds. Undefined for anything else, such as
 * February 30.
 */
export function parseTime(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/.test(text)) return undefined
  const timeMs = Date.parse(text)
  // Date.parse rolls February 30 over to March 2.
  return timeMs >= 0 && new Date(timeMs).toISOString().startsWith(text.slice(0, 19)) ? timeMs : undefined
}

/** The range of `?from&to`: inclusive at both ends, either may be missing or empty. */
export function parseRange(
  from: string | undefined,
  to: string | undefined
): { range: TimeRange } | { problem: Problem } {
  const range: TimeRange = {}
  for (const [name, text, bound] of [
    ['from', from, 'fromMs'],
    ['to', to, 'toMs']
  ] as const) {
    if (text === undefined || text === '') continue
    const timeMs = parseTime(text)
    if (timeMs === undefined)
      return {
        problem: badTime(
          name,
          'must be an ISO 8601 UTC time with at most milliseconds, such as 2026-07-01T12:00:00.000Z.'
        )
      }
    range[bound] = timeMs
  }
  if (range.fromMs !== undefined && range.toMs !== undefined && range.fromMs > range.toMs) {
    return { problem: badTime('from', 'must not be later than to.') }
  }
  return { range }
}

function badTime(field: string, wanted: string): Problem {
  return { status: 400, detail: `${field} ${wanted}`, field }
}

/** For a bound that is no whole minute, at a time of which the totals are kept by the minute only. */
export function rangeForgotten({ fromMs, toMs }: TimeRange, exactSince: string): Problem {
  const sinceMs = Date.parse(exactSince)
  const minuteMs = (timeMs: number) => Math.floor(timeMs / 60_000) * 60_000
  if (fromMs !== undefined && fromMs < sinceMs && fromMs !== minuteMs(fromMs)) {
    return badTime(
      'from',
      `must be a whole minute, such as ${iso(minuteMs(fromMs))}: before ${exactSince} the books are exact to the minute.`
    )
  }
  const lastMs = minuteMs((toMs ?? 0) + 1) - 1
  return badTime(
    'to',
    `must be the last millisecond of a minute, such as ${iso(Math.max(lastMs, 59_999))}: before ${exactSince} the books are exact to the minute.`
  )
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString()
}

/** The body of `GET /payments-summary`. Written by hand, because JSON.stringify knows no exact decimals. */
export function renderSummary(totals: Record<ProcessorName, Totals>): string {
  const parts = PROCESSOR_NAMES.map(name => {
    const { requests, cents } = totals[name]
    return `"${name}":{"totalRequests":${requests},"totalAmount":${decimalFromCents(cents)}}`
  })
  return `{${parts.join(',')}}`
}
