// What a process uses, for tests and benchmarks. Linux only: read from /proc.
import { readFileSync } from 'node:fs'

export type Usage = {
  /** Memory that is the process's own: heap, stacks, buffers; no pages shared with others. */
  anonymousBytes: number
}

/** Throws ENOENT when there is no such process. */
export function readUsage(pid: number): Usage {
  // A process that is just ending has no memory lines any more.
  const kilobytes = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0
  return { anonymousBytes: Number(kilobytes) * 1024 }
}
