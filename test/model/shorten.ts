/**
 * Leaves out of a list that fails whatever it fails without: halves, quarters, and so on down to single items, again
 * and again, until none can go any more or the time is up. fast-check's own way makes numbers smaller as well, which
 * here only costs time.
 */
export async function shorten<T>(
  list: readonly T[],
  fails: (shorter: readonly T[]) => Promise<boolean>,
  maxMs: number
): Promise<void> {
  const startedAtMs = performance.now()
  let shortest = list
  for (let length = Math.ceil(list.length / 2); length >= 1;) {
    let wasLeftOut = false
    for (let at = 0; at < shortest.length;) {
      if (performance.now() - startedAtMs > maxMs) return
      const shorter = [...shortest.slice(0, at), ...shortest.slice(at + length)]
      if (await fails(shorter)) {
        shortest = shorter
        wasLeftOut = true
      } else at += length
    }
    if (length > 1) length = Math.ceil(length / 2)
    else if (!wasLeftOut) return
  }
}
