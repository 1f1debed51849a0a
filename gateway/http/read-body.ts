import type { HttpResponse } from 'uWebSockets.js'

/**
 * Collects a body of at most `maxBytes`, then calls back once: with undefined if it is larger. The buffer is valid
 * within the call only.
 */
export function readBody(
  res: HttpResponse,
  declaredBytes: number,
  maxBytes: number,
  done: (body: Buffer | undefined) => void
): void {
  if (declaredBytes > maxBytes) {
    done(undefined)
    return
  }
  let collected: Buffer | undefined
  let isDone = false
  res.onData((chunk, isLast) => {
    if (isDone) return
    const part = Buffer.from(chunk)
    isDone = isLast || (collected?.length ?? 0) + part.length > maxBytes
    if ((collected?.length ?? 0) + part.length > maxBytes) done(undefined)
    // The chunk is gone after this call: what comes in several parts is copied, the usual single part is not.
    else if (isLast) done(collected ? Buffer.concat([collected, part]) : part)
    else collected = collected ? Buffer.concat([collected, part]) : Buffer.from(part)
  })
}
