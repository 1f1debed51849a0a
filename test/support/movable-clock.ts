import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Where the set-up of `npm test` puts it. */
const LIBRARY = resolve(import.meta.dirname, '../../.cache/lib/libfaketime.so.1')

export type MovableClock = {
  /** For the process whose clock it is. */
  environment: Record<string, string>
  /** Sets it off from the real one, forwards or back; its monotonic clock goes on, as in a real step. */
  set: (offsetMs: number) => void
}

/** A wall clock for a process such as redis-server that a test can move while it runs. @throws where libfaketime is missing */
export function createMovableClock(directory: string): MovableClock {
  if (!existsSync(LIBRARY)) throw new Error('libfaketime is missing; npm test brings it')
  const file = join(directory, 'clock')
  const set = (offsetMs: number) => {
    const seconds = (offsetMs / 1_000).toFixed(3)
    // In one step: it is read at each look at the clock.
    writeFileSync(`${file}.next`, offsetMs < 0 ? seconds : `+${seconds}`)
    renameSync(`${file}.next`, file)
  }
  set(0)
  return {
    environment: {
      // glibc's own malloc first: the two libraries of Debian's redis-server, jemalloc and this one, start each other for ever.
      LD_PRELOAD: `libc_malloc_debug.so.0:${LIBRARY}`,
      FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1'
    },
    set
  }
}
