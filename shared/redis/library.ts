import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { HELD_CONSUMER } from '../keys.ts'
import { CENTS_MAX } from '../money.ts'
import { LAST, UNRESOLVED } from './attempt-record.ts'
import { replyErrorCode } from './errors.ts'

/** The files of lua/ in the order in which they build upon each other. */
export const LUA_FILES = [
  'base',
  'errors',
  'clock',
  'ids',
  'attempts',
  'payments',
  'totals',
  'periods',
  'accept',
  'find',
  'take',
  'settle',
  'release',
  'reclaim',
  'workers',
  'rejected',
  'dead-letters',
  'sum',
  'purge',
  'lease',
  'report',
  'observe',
  'memory',
  'register-functions'
].map(name => `${name}.lua`)

/** What both sides spell alike; in Lua it stands between two @. */
const SHARED_WORDS: Record<string, string | number> = { HELD: HELD_CONSUMER, LAST, UNRESOLVED, CENTS_MAX }

const template = LUA_FILES.map(file => readFileSync(new URL(`./lua/${file}`, import.meta.url), 'utf8'))
  .join('\n')
  .replace(/@([A-Z_]+)@/g, (asItIs, name: string) => String(SHARED_WORDS[name] ?? asItIs))

/** Eight hex digits that change with the library's text: two versions of the services never share a function. */
export const LIBRARY_VERSION = createHash('sha256').update(template).digest('hex').slice(0, 8)

const LIBRARY_NAME = `payments_${LIBRARY_VERSION}`
const text = `#!lua name=${LIBRARY_NAME}\n${template.replaceAll('@VERSION@', LIBRARY_VERSION)}`

/** Loads the functions of this version beside those of others; harmless when they are there. */
export async function loadLibrary(redis: Redis): Promise<void> {
  try {
    await redis.call('FUNCTION', 'LOAD', text)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    // A Redis that is full refuses to load even what it has, but who starts now may be the one who empties it.
    const isThere =
      error.message.includes('already exists') || (replyErrorCode(error) === 'OOM' && (await hasLibrary(redis)))
    if (!isThere) throw error
  }
}

async function hasLibrary(redis: Redis): Promise<boolean> {
  const found = await redis.call('FUNCTION', 'LIST', 'LIBRARYNAME', LIBRARY_NAME)
  return Array.isArray(found) && found.length > 0
}

/** What FCALL calls a function of this version. */
export function functionName(name: string): string {
  return `${name}_${LIBRARY_VERSION}`
}

/**
 * Calls a function of this version of the library, and loads the library first where Redis has lost it.
 *
 * @throws ReplyError as Redis gave it, or a connection error: the call may have been carried out or not.
 */
export async function callFunction(
  redis: Redis,
  name: string,
  keys: readonly string[],
  args: readonly (string | number)[]
): Promise<unknown> {
  const call = () => redis.call('FCALL', functionName(name), keys.length, ...keys, ...args)
  try {
    return await call()
  } catch (error) {
    // Redis says so before it runs anything, so calling again is safe.
    if (!(error instanceof Error && error.message.includes('Function not found'))) throw error
    await loadLibrary(redis)
    return await call()
  }
}
