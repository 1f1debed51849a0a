export type Burst<T> = {
  note: (event: T) => void
  /** Writes what has not been written yet. */
  flush: () => void
}

/**
 * One line an event, not one a payment: writes the first of many alike at once, and then, as long as they go on, one
 * line in `everyMs` with how many there were and the latest of them.
 */
export function createBurst<T>(everyMs: number, write: (count: number, latest: T) => void): Burst<T> {
  let timer: NodeJS.Timeout | undefined
  let pending: { count: number; latest: T } | undefined
  const flush = () => {
    if (pending) write(pending.count, pending.latest)
    pending = undefined
  }
  const onTime = () => {
    timer = pending ? setTimeout(onTime, everyMs).unref() : undefined
    flush()
  }
  return {
    note(event) {
      pending = { count: (pending?.count ?? 0) + 1, latest: event }
      if (timer !== undefined) return
      flush()
      timer = setTimeout(onTime, everyMs).unref()
    },
    flush
  }
}
