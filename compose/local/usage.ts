// What a process has used so far, for benchmarks. Linux only: read from /proc.
import { readFileSync } from 'node:fs'

// USER_HZ is 100 on every architecture that Node supports; one tick is 10 ms.
const microsecondsPerTick = 10_000

export type Usage = {
  /** User and system time of all threads since the start, in steps of 10 ms. */
  cpuMicroseconds: number
  /** Resident memory, shared pages of the executable and of libraries included. */
  residentBytes: number
  /** The part of it that is the process's own: heap, stacks, buffers. */
  anonymousBytes: number
}

/** Throws ENOENT when there is no such process. */
export function readUsage(pid: number): Usage {
  // The second field is the command's name in brackets and may hold spaces, so fields are counted from its end.
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return {
    cpuMicroseconds: (Number(fields[11]) + Number(fields[12])) * microsecondsPerTick,
    residentBytes: readKilobytes(status, 'VmRSS') * 1024,
    anonymousBytes: readKilobytes(status, 'RssAnon') * 1024
  }
}

// A process that is just ending has no memory lines any more.
function readKilobytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
}
