// All that Redis holds of payments, in one atomic read.
import type { Redis } from 'ioredis'
import { WORKER_GROUP, type Keys } from '../../shared/keys.ts'

export type State = {
  /** Entry id → fields. */
  queue: Map<string, string[]>
  /** Entry id → consumer. */
  pending: Map<string, string>
  /** Entry id → record. */
  inFlight: Map<string, string>
  /** Letter id → fields. */
  letters: Map<string, string[]>
  /** Of the hash of the time that decides; 0 while nobody has seen a time. */
  seenMs: number
  clockMs: number
  /** Since when the totals are exact; '' for ever. */
  exactSince: string
}

const SCRIPT = `
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000)
  return {
    redis.call('XRANGE', KEYS[1], '-', '+'), pending.err and {} or pending, redis.call('HGETALL', KEYS[2]), redis.call('XRANGE', KEYS[3], '-', '+'),
    redis.call('HMGET', KEYS[4], 'seen', 'clock'), redis.call('GET', KEYS[5]) or ''
  }`

const TOTALS_SCRIPT = `
  local found = {}
  for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
    found[#found + 1] = { key, redis.call('HGETALL', key) }
  end
  return found`

export type StateReader = {
  read: () => Promise<State>
  /** Every hash of the totals: name → field → value. */
  readTotals: () => Promise<Map<string, Map<string, string>>>
}

export async function createStateReader(redis: Redis, keys: Keys): Promise<StateReader> {
  const load = async (script: string) => String(await redis.script('LOAD', script))
  const [state, totals] = [await load(SCRIPT), await load(TOTALS_SCRIPT)]
  const stateKeys = [keys.queue, keys.inFlight, keys.deadLetters, keys.clock, keys.totalsExactSince]
  // The braces of the hash tag mean nothing to KEYS.
  const { totalsPattern } = keys
  return {
    async read() {
      const reply = await redis.call('EVALSHA_RO', state, stateKeys.length, ...stateKeys, WORKER_GROUP)
      const [queue, pending, inFlight, letters, clock, exactSince] = reply as [
        [string, string[]][],
        [string, string][],
        string[],
        [string, string[]][],
        (string | null)[],
        string
      ]
      return {
        queue: new Map(queue),
        pending: new Map(pending.map(([entryId, consumer]) => [entryId, consumer])),
        inFlight: new Map(pairs(inFlight)),
        letters: new Map(letters),
        seenMs: Number(clock[0] ?? 0),
        clockMs: Number(clock[1] ?? 0),
        exactSince
      }
    },
    async readTotals() {
      const reply = (await redis.call('EVALSHA_RO', totals, 0, totalsPattern)) as [string, string[]][]
      return new Map(reply.map(([key, flat]) => [key, new Map(pairs(flat))]))
    }
  }
}

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[index * 2] ?? '', flat[index * 2 + 1] ?? ''])
}

/**
 * The time that decides, as shared/redis/lua/clock.lua promises it: never less than a heartbeat saw, and no faster than
 * the clock while that is behind.
 */
export function decidingMs({ seenMs, clockMs: wasMs }: State, clockMs: number): number {
  return clockMs >= seenMs ? clockMs : seenMs + Math.max(0, Math.min(clockMs - wasMs, 600_000))
}
