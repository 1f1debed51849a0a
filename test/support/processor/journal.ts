import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { StoredPayment } from './payment.ts'

const LINE = /^([0-9a-f-]{36}) (\d+) (-?\d+)$/

/**
 * A processor's memory across restarts: one line a booking, `id cents requestedAtMs`. All bookings of one turn of the
 * event loop are one append, and answers wait for it, so nothing that was answered is missing after SIGKILL (what
 * write() took is the kernel's; only the machine's own crash could lose it).
 */
export class Journal {
  readonly #file: number
  #lines = ''
  #waiting: (() => void)[] = []
  #isScheduled = false

  /** What is in the file already goes to `restore`. Throws when a line of it is no booking. */
  constructor(path: string, restore: (payment: StoredPayment) => void) {
    this.#file = openSync(path, 'a+')
    const text = readFileSync(this.#file, 'latin1')
    // SIGKILL in the middle of a write leaves half a line, which nobody was told about.
    const completeBytes = text.lastIndexOf('\n') + 1
    ftruncateSync(this.#file, completeBytes)
    text
      .slice(0, completeBytes)
      .split('\n')
      .slice(0, -1)
      .forEach((line, index) => {
        const [, id, cents, requestedAtMs] = LINE.exec(line) ?? []
        if (id === undefined) throw new Error(`${path}:${index + 1} is not a booking: ${JSON.stringify(line)}`)
        restore({ id, cents: Number(cents), requestedAtMs: Number(requestedAtMs) })
      })
  }

  append({ id, cents, requestedAtMs }: StoredPayment): void {
    this.#lines += `${id} ${cents} ${requestedAtMs}\n`
  }

  /** Calls back once everything appended until now is in the file. */
  whenWritten(callback: () => void): void {
    this.#waiting.push(callback)
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.flush())
  }

  /** Writes now what is still to be written. */
  flush(): void {
    this.#isScheduled = false
    if (this.#lines !== '') writeWhole(this.#file, this.#lines)
    this.#lines = ''
    const waiting = this.#waiting
    this.#waiting = []
    for (const callback of waiting) callback()
  }

  clear(): void {
    this.flush()
    ftruncateSync(this.#file)
  }

  close(): void {
    this.flush()
    closeSync(this.#file)
  }
}

/** write() may take a part only, when the disk is nearly full for example. */
function writeWhole(file: number, text: string): void {
  const bytes = Buffer.from(text, 'latin1')
  for (let offset = 0; offset < bytes.length;) offset += writeSync(file, bytes, offset)
}
