// What must hold once everything is quiet, whatever has happened before. Each check throws an AssertionError that
// names a few of the payments that are wrong; invariants.test.ts shows that each of them can fail.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { WORKER_GROUP, type Keys } from '../../shared/keys.ts'
import { eventually, PATIENCE_MS } from '../support/eventually.ts'
import { createRandom, type Random } from '../support/random.ts'
import { readBookings, readOurBooks, readTheirBooks, type Booking, type Books, type Range } from './books.ts'
import type { FaultStack } from './harness.ts'

/** What clients did: payments by id, and which of them got a 2xx. */
export type Account = {
  /** Everything that was ever sent, in whole cents. */
  sent: ReadonlyMap<string, number>
  accepted: ReadonlySet<string>
}

/**
 * Every accepted payment stands exactly once in the books of exactly one processor, with its amount. One that was not
 * accepted may stand there once as well; what nobody sent may not.
 *
 * @param deadLettered ids that a processor refused for good, so that they stand nowhere
 */
export function assertBookedOnce(
  bookings: readonly Booking[],
  { sent, accepted }: Account,
  deadLettered: ReadonlySet<string> = new Set()
): void {
  const byId = new Map<string, Booking[]>()
  for (const booking of bookings) byId.set(booking.id, [...(byId.get(booking.id) ?? []), booking])
  const wrong: string[] = []
  for (const [id, own] of byId) {
    if (own.length > 1) wrong.push(`${id} is booked ${own.length} times: ${own.map(each => each.processor).join(', ')}`)
    const sentCents = sent.get(id)
    const other = own.find(({ cents }) => cents !== sentCents)
    if (sentCents === undefined) wrong.push(`${id} is booked, but nobody sent it`)
    else if (other !== undefined) wrong.push(`${id} is booked with ${other.cents} cents, but ${sentCents} were sent`)
    if (deadLettered.has(id)) wrong.push(`${id} is booked, but also among the dead letters`)
  }
  for (const id of accepted) {
    if (!byId.has(id) && !deadLettered.has(id)) wrong.push(`${id} got a 2xx and is booked nowhere`)
  }
  assertNone(wrong)
}

/**
 * Payments and cents of each processor are the same in our summary as in its own, over everything and over each range.
 */
export async function assertBooksEqual(
  ours: (range?: Range) => Promise<Books>,
  theirs: (range?: Range) => Promise<Books>,
  ranges: readonly Range[]
): Promise<void> {
  const wrong: string[] = []
  for (const range of [undefined, ...ranges]) {
    const [own, their] = await Promise.all([ours(range), theirs(range)])
    if (JSON.stringify(own) === JSON.stringify(their)) continue
    const iso = (timeMs: number) => new Date(timeMs).toISOString()
    const where = range === undefined ? 'over everything' : `from ${iso(range.fromMs)} to ${iso(range.toMs)}`
    wrong.push(`${where} we say ${JSON.stringify(own)}, the processors ${JSON.stringify(their)}`)
  }
  assertNone(wrong)
}

/** Nothing waits, nothing is in flight, and the dead letters are those that are expected; returns their ids. */
export async function assertNothingLeft(redis: Redis, keys: Keys, deadLettersMax = 0): Promise<Set<string>> {
  const [queued, pending, inFlight, letters] = await Promise.all([
    redis.xlen(keys.queue),
    redis.xpending(keys.queue, WORKER_GROUP),
    redis.hgetall(keys.inFlight),
    redis.xrange(keys.deadLetters, '-', '+')
  ])
  const wrong: string[] = []
  if (queued > 0) wrong.push(`${queued} payments are in the queue`)
  if (Number(pending[0]) > 0) wrong.push(`${String(pending[0])} payments are pending`)
  for (const [entryId, record] of Object.entries(inFlight)) wrong.push(`${entryId} is in flight: ${record}`)
  if (letters.length > deadLettersMax) {
    wrong.push(
      `${letters.length} dead letters, of which at most ${deadLettersMax} were asked for: ${JSON.stringify(letters[0])}`
    )
  }
  assertNone(wrong)
  return new Set(letters.map(([, fields]) => fields[1] ?? ''))
}

/**
 * Ranges that cut the bookings in all ways: single milliseconds, edges on bookings and just beside them, and long ones.
 */
export function randomRanges(random: Random, bookings: readonly Booking[], count: number): Range[] {
  if (bookings.length === 0) return []
  const edge = () => random.pick(bookings).requestedAtMs + random.integer(-1, 1)
  return Array.from({ length: count }, () => {
    const [a, b] = [edge(), random.chance(0.3) ? undefined : edge()]
    return { fromMs: Math.min(a, b ?? a), toMs: Math.max(a, b ?? a) }
  })
}

/** No service has ended with an error of its own, also if a test has killed or started it since. */
export function assertNoCrash({ stack }: Pick<FaultStack, 'stack'>): void {
  const fatal = '"level":60'
  assertNone(
    [...stack.parts.values()].flatMap(({ name, logPath }) => {
      const lines = readFileSync(logPath, 'utf8')
        .split('\n')
        .filter(line => line.includes(fatal))
      return lines.map(line => `${name} crashed: ${line.slice(0, 500)}`)
    })
  )
}

/** All of the above on a stack that has become quiet. Returns the bookings. */
export async function assertEverythingAddsUp(
  stack: FaultStack,
  account: Account,
  random: Random,
  deadLettersMax = 0
): Promise<Booking[]> {
  assertNoCrash(stack)
  const deadLettered = await assertNothingLeft(stack.redis, stack.keys, deadLettersMax)
  const bookings = await readBookings(stack)
  assertBookedOnce(bookings, account, deadLettered)
  const ranges = randomRanges(random, bookings, 50)
  await assertBooksEqual(
    range => readOurBooks(stack, range),
    range => readTheirBooks(stack, range),
    ranges
  )
  return bookings
}

/** The same, once all that is queued is settled. */
export async function assertSettlesAndAddsUp(
  stack: FaultStack,
  account: Account,
  deadLettersMax = 0
): Promise<Booking[]> {
  await eventually('the queue is empty', async () => (await stack.redis.xlen(stack.keys.queue)) === 0, 2 * PATIENCE_MS)
  return await assertEverythingAddsUp(stack, account, createRandom(1, 'ranges'), deadLettersMax)
}

function assertNone(wrong: readonly string[]): void {
  assert(wrong.length === 0, `${wrong.length} wrong, such as\n  ${wrong.slice(0, 8).join('\n  ')}`)
}
