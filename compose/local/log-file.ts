// Log files of the parts: written by the parts themselves (a descriptor, no pipe), so that a busy or dead parent does
// not slow them down or lose a line. Whoever wants the lines reads them back from here.
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'

/** Bytes in the file, 0 when it does not exist yet. */
export function logSizeBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** The text from a byte offset to the end of the file; '' when there is none. */
export function readLogFrom(path: string, fromByte: number): string {
  const file = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(Math.max(0, fstatSync(file).size - fromByte))
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, buffer.length, fromByte))
  } finally {
    closeSync(file)
  }
}

/** The last lines of a log, oldest first; reads at most its last 16 KB. */
export function lastLogLines(path: string, lineCount: number): string[] {
  const sizeBytes = logSizeBytes(path)
  if (sizeBytes === 0) return []
  return readLogFrom(path, Math.max(0, sizeBytes - 16_384))
    .trimEnd()
    .split('\n')
    .slice(-lineCount)
}

/**
 * Calls `onLine` for every whole line that is added to a log from now on. Polls, because file events are not portable
 * and a stat per interval costs next to nothing. Returns a function that ends it, after handing over what is there.
 */
export function followLog(path: string, intervalMs: number, onLine: (line: string) => void): () => void {
  let readBytes = logSizeBytes(path)
  const read = () => {
    if (logSizeBytes(path) <= readBytes) return
    const text = readLogFrom(path, readBytes)
    const wholeLines = text.slice(0, text.lastIndexOf('\n') + 1)
    readBytes += Buffer.byteLength(wholeLines)
    for (const line of wholeLines.split('\n')) if (line !== '') onLine(line)
  }
  const timer = setInterval(read, intervalMs)
  return () => {
    clearInterval(timer)
    read()
  }
}
