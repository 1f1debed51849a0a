// What both sides have written down: the models' bookings one by one, and either side's summary.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROCESSOR_NAMES, type ProcessorName } from '../../shared/payment.ts'
import type { FaultStack } from './harness.ts'

/** A payment as it stands in a processor's books. */
export type Booking = { processor: ProcessorName; id: string; cents: number; requestedAtMs: number }

export type Totals = { requests: number; cents: number }
export type Books = Record<ProcessorName, Totals>

/** Inclusive; missing means everything. */
export type Range = { fromMs: number; toMs: number }

type SummaryJson = { totalRequests: number; totalAmount: number }

/** Both processors' books, payment by payment. Throws when they don't add up to the processors' own summaries. */
export async function readBookings({ admins, directory }: FaultStack): Promise<Booking[]> {
  const bookings: Booking[] = []
  for (const processor of PROCESSOR_NAMES) {
    // Asked first: a processor writes down everything before it tells anything.
    const summary = totalsOf(await admins[processor].summary())
    const lines = (await readFile(join(directory, `processor-${processor}.journal`), 'latin1')).split('\n').slice(0, -1)
    const own = lines.map(line => {
      const [id = '', cents, requestedAtMs] = line.split(' ')
      return { processor, id, cents: Number(cents), requestedAtMs: Number(requestedAtMs) }
    })
    const { requests, cents } = addUp(own)[processor]
    if (requests < summary.requests || cents < summary.cents) {
      throw new Error(`${processor} tells of ${summary.requests} payments, its journal of ${requests}`)
    }
    bookings.push(...own)
  }
  return bookings
}

/** What the processors say of a range. */
export async function readTheirBooks({ admins }: FaultStack, range?: Range): Promise<Books> {
  const bounds = range && { from: iso(range.fromMs), to: iso(range.toMs) }
  const [ofDefault, ofFallback] = await Promise.all([admins.default.summary(bounds), admins.fallback.summary(bounds)])
  return { default: totalsOf(ofDefault), fallback: totalsOf(ofFallback) }
}

/** What the pipeline says of a range, as any client is told. */
export async function readOurBooks({ stack }: FaultStack, range?: Range): Promise<Books> {
  const query = range === undefined ? '' : `?from=${iso(range.fromMs)}&to=${iso(range.toMs)}`
  const response = await fetch(`${stack.url}/payments-summary${query}`)
  if (!response.ok) throw new Error(`summary: ${response.status} ${await response.text()}`)
  const summary = (await response.json()) as Record<ProcessorName, SummaryJson>
  return { default: totalsOf(summary.default), fallback: totalsOf(summary.fallback) }
}

export function addUp(bookings: readonly Booking[]): Books {
  const books: Books = { default: { requests: 0, cents: 0 }, fallback: { requests: 0, cents: 0 } }
  for (const { processor, cents } of bookings) {
    books[processor].requests += 1
    books[processor].cents += cents
  }
  return books
}

function totalsOf({ totalRequests, totalAmount }: SummaryJson): Totals {
  return { requests: totalRequests, cents: Math.round(totalAmount * 100) }
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
