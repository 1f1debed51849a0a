import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

const template = readFileSync(new URL('./library.lua', import.meta.url), 'utf8')

/** Eight hex digits that change with the library's text: two versions of the services never share a function. */
export const LIBRARY_VERSION = createHash('sha256').update(template).digest('hex').slice(0, 8)

const text = template.replaceAll('@VERSION@', LIBRARY_VERSION)

/** Loads the functions of this version beside those of others; harmless when they are there. */
export async function loadLibrary(redis: Redis): Promise<void> {
  try {
    await redis.call('FUNCTION', 'LOAD', text)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    // A Redis that is full refuses to load even what it has, but who starts now may be the one who empties it.
    const isThere =
      error.message.includes('already exists') || (error.message.startsWith('OOM') && (await hasLibrary(redis)))
    if (!isThere) throw error
  }
}

async function hasLibrary(redis: Redis): Promise<boolean> {
  const found = await redis.call('FUNCTION', 'LIST', 'LIBRARYNAME', `payments_${LIBRARY_VERSION}`)
  return Array.isArray(found) && found.length > 0
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
  const call = () => redis.call('FCALL', `${name}_${LIBRARY_VERSION}`, keys.length, ...keys, ...args)
  try {
    return await call()
  } catch (error) {
    // Redis says so before it runs anything, so calling again is safe.
    if (!(error instanceof Error && error.message.includes('Function not found'))) throw error
    await loadLibrary(redis)
    return await call()
  }
}
