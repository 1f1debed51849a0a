import assert from 'node:assert/strict'
import { centsFromDigits, type Cents } from './money.ts'
import type { ProcessorName } from './payment.ts'

/**
 * Every accepted correlationId is remembered, so that a payment sent twice is paid once. The memory is cut into periods
 * by time of acceptance, and each period into small hashes, which Redis packs: at most 64 bytes a payment from one a
 * second to a thousand (test/bench/redis-memory.ts). A period is forgotten as a whole, when it has been over for the
 * retention that it was begun with: what is remembered does not depend on what the retention is now.
 *
 *   node    <start of the period>:<last three hex digits of the id>      2026-11-21T00:0b3
 *           or its last four, five digits where those above are full     2026-11-21T00:60b3
 *   field   its first 29 digits, without dashes                          4a7901b87d264d9daa194dc1c7cf6
 *   value   <cents> <entry id> until it is settled                       1990 1795247300123-0
 *           <cents> d<requestedAt in ms> once default has booked it      1990 d1795247300456
 *           <cents> f<requestedAt in ms> once fallback has               1990 f1795247300456
 *           <cents> dead-letter                                          1990 dead-letter
 *
 * The last digits are random in UUIDs of version 4 and 7. Ids that all end alike, as in version 1, share a node:
 * that is right as well, but Redis does not pack a large one.
 */
/** A time in which accepted ids are remembered together, in ms since 1970; a new one begins at its end. */
export type IdPeriod = {
  /** Begins the names of its nodes. */
  name: string
  startMs: number
  endMs: number
  forgottenMs: number
}

/** An id's 32 hex digits. Cut out of the text form between its dashes: a third of what it costs to remove them. */
export function digitsOf(correlationId: string): string {
  const digits = (from: number, to: number) => correlationId.slice(from, to)
  return digits(0, 8) + digits(9, 13) + digits(14, 18) + digits(19, 23) + digits(24, 36)
}

/** The id of 32 hex digits. */
export function uuidOf(digits: string): string {
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join(
    '-'
  )
}

/** Whether it is the text form of a UUID in lower case, as every accepted id is. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(text)
}

/** The two parts of a node's name, which is what follows `idNodes` in its key. */
export function parseNodeName(name: string): { period: string; digits: string } {
  const at = name.lastIndexOf(':')
  return { period: name.slice(0, at), digits: name.slice(at + 1) }
}

/** The digits of an id whose record stands under this field of this node. */
export function digitsAt(node: string, field: string): string {
  return field + node.slice(-3)
}

/**
 * The period to begin now, for a retention: up to the next multiple of it since 1970, and from the last one unless that
 * would not be after the newest period there is.
 */
export function periodFrom(nowMs: number, newestStartMs: number, retentionHours: number): IdPeriod {
  const retentionMs = retentionHours * 3_600_000
  const aligned = (timeMs: number) => Math.floor(timeMs / retentionMs) * retentionMs
  const startMs = aligned(nowMs) > newestStartMs ? aligned(nowMs) : Math.max(nowMs, newestStartMs + 1)
  const endMs = aligned(startMs) + retentionMs
  return { name: periodName(startMs), startMs, endMs, forgottenMs: endMs + retentionMs }
}

/** The period of version 0.1, which kept no list of them: nodes of this start and expiry are its. */
export function periodOfNodes(name: string, forgottenMs: number): IdPeriod {
  const startMs = Date.parse(`${name}:00Z`)
  return { name, startMs, endMs: (startMs + forgottenMs) / 2, forgottenMs }
}

/** Its start as ISO time, to the hour where it is a whole one. */
function periodName(startMs: number): string {
  const iso = new Date(startMs).toISOString()
  return startMs % 3_600_000 === 0 ? iso.slice(0, 13) : iso
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
  if (initial !== undefined)
    return {
      state: 'settled',
      cents,
      processor: initial === 'd' ? 'default' : 'fallback',
      requestedAtMs: Number(timeMs)
    }
  return { state: fate === 'dead-letter' ? fate : 'unsettled', cents }
}
