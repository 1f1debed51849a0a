/** Lets one waiter sleep until something happens or time is up. Never misses what happened before it waits. */
export type Latch = {
  open: () => void
  /** Resolves when the latch is opened, at the latest after `timeoutMs`; closes it again. */
  wait: (timeoutMs: number) => Promise<void>
}

export function createLatch(): Latch {
  let isOpen = false
  let wake: (() => void) | undefined
  return {
    open() {
      isOpen = true
      wake?.()
    },
    async wait(timeoutMs) {
      if (!isOpen) {
        await new Promise<void>(resolve => {
          const timer = setTimeout(resolve, timeoutMs)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
        wake = undefined
      }
      isOpen = false
    }
  }
}
