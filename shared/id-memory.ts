import assert from 'node:assert/strict'
import { integer } from './config.ts'
import { centsFromDigits, type Cents } from './money.ts'
import type { ProcessorName } from './payment.ts'

/**
 * Every accepted correlationId is remembered, so that a payment sent twice is paid once. The memory is cut into
 * periods by time of acceptance, and each period into 4096 small hashes, which Redis packs: 64 bytes a payment
 * (test/bench/redis-memory.ts). A period is forgotten as a whole when the next one is over.
 *
 *   node    <start of the period>:<last three hex digits of the id>      2026-11-21T00:0b3
 *   field   the other hex digits, without dashes                         4a7901b87d264d9daa194dc1c7cf6
 *   value   <cents> <entry id> until it is settled                       1990 1795247300123-0
 *           <cents> d<requestedAt in ms> once default has booked it      1990 d1795247300456
 *           <cents> f<requestedAt in ms> once fallback has               1990 f1795247300456
 *           <cents> dead-letter                                          1990 dead-letter
 *
 * The last digits are random in UUIDs of version 4 and 7. Ids that all end alike, as in version 1, share a node:
 * that is right as well, but Redis does not pack a large one.
 */
export const ID_RETENTION_HOURS = integer('ID_RETENTION_HOURS', {
  default: 24, min: 1, max: 8_760, unit: 'hours',
  about: 'How long a correlationId is remembered at least, and twice as long at most. The same for all services.'
})

/** The place of an id's record within the memory of one period. */
export type IdPlace = { node: string; field: string }

export type IdPeriods = {
  lengthMs: number
  /** The period of a time, as a number that grows by one a period. */
  at: (timeMs: number) => number
  /** The beginning of a period, as the nodes' names begin. */
  start: (period: number) => string
  place: (correlationId: string, period: number) => IdPlace
}

/** The name of a node, by the beginning of its period and the end of its ids. */
export function nodeOf(start: string, shard: string): string {
  return `${start}:${shard}`
}

/** The end of the names of an id's nodes. */
export function shardOf(correlationId: string): string {
  return correlationId.slice(33)
}

/** Cut out of the text form between its dashes: a third of what it costs to remove them. */
export function fieldOf(correlationId: string): string {
  const digits = (from: number, to: number) => correlationId.slice(from, to)
  return digits(0, 8) + digits(9, 13) + digits(14, 18) + digits(19, 23) + digits(24, 33)
}

export function createIdPeriods(retentionHours: number): IdPeriods {
  const lengthMs = retentionHours * 3_600_000
  const start = (period: number) => new Date(period * lengthMs).toISOString().slice(0, 13)
  let latest = { period: 0, start: start(0) }
  const remembered = (period: number) => {
    // Payments that travel together are of one period.
    if (period !== latest.period) latest = { period, start: start(period) }
    return latest.start
  }
  return {
    lengthMs,
    at: timeMs => Math.floor(timeMs / lengthMs),
    start,
    place: (correlationId, period) => ({ node: nodeOf(remembered(period), shardOf(correlationId)), field: fieldOf(correlationId) })
  }
}

const INITIALS: Record<ProcessorName, string> = { default: 'd', fallback: 'f' }

/** The value of an id once its payment is settled. */
export function settledIdRecord(cents: number, processor: ProcessorName, requestedAtMs: number): string {
  return `${cents} ${INITIALS[processor]}${requestedAtMs}`
}

export type IdRecord =
  | { state: 'unsettled'; cents: Cents }
  | { state: 'settled'; cents: Cents; processor: ProcessorName; requestedAtMs: number }
  | { state: 'dead-letter'; cents: Cents }

/** Reads the value of an id; anything else than the forms above is a broken invariant. */
export function parseIdRecord(record: string): IdRecord {
  const [, digits, fate = '', initial, timeMs] = /^(\d+) (\d+-\d+|dead-letter|([df])(\d+))$/.exec(record) ?? []
  const cents = centsFromDigits(digits ?? '')
  assert(cents !== undefined, `not the record of an id: ${record}`)
  if (initial !== undefined) return { state: 'settled', cents, processor: initial === 'd' ? 'default' : 'fallback', requestedAtMs: Number(timeMs) }
  return { state: fate === 'dead-letter' ? fate : 'unsettled', cents }
}
