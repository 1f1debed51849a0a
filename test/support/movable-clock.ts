import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Where the set-up of `npm test` puts it. */
const LIBRARY = resolve(import.meta.dirname, '../../.cache/lib/libfaketime.so.1')

export type MovableClock = {
  /** For the process whose clock it is. */
  environment: Record<string, string>
  /** Sets it off from the real one, forwards or back; its monotonic clock goes on, as in a real step. */
  set: (offsetMs: number) => void
  /**
   * Stops it at a time in ms since 1970, where it stands until the next call of either: what happens then can be
   * repeated.
   */
  stopAt: (timeMs: number) => void
}

/**
 * A wall clock for a process such as redis-server that a test can move while it runs. @throws where libfaketime is
 * missing
 */
export function createMovableClock(directory: string): MovableClock {
  if (!existsSync(LIBRARY)) throw new Error('libfaketime is missing; npm test brings it')
  const file = join(directory, 'clock')
  const write = (text: string) => {
    // In one step: it is read at each look at the clock.
    writeFileSync(`${file}.next`, text)
    renameSync(`${file}.next`, file)
  }
  const set = (offsetMs: number) => {
    const seconds = (offsetMs / 1_000).toFixed(3)
    write(offsetMs < 0 ? seconds : `+${seconds}`)
  }
  set(0)
  return {
    environment: {
      // glibc's own malloc first: the two libraries of Debian's redis-server, jemalloc and this one, start each other
      // for ever.
      LD_PRELOAD: `libc_malloc_debug.so.0:${LIBRARY}`,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      TZ: 'UTC'
    },
    set,
    // Half a millisecond more, because the library reads it as a fraction of a second and cuts off the rest.
    stopAt: timeMs => write(new Date(timeMs).toISOString().replace('T', ' ').replace('Z', '5'))
  }
}
