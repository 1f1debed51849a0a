// Before a measurement the system is emptied, and after it everything accepted has to be settled, and the books equal.
import { setTimeout as sleep } from 'node:timers/promises'
import { added, centsIn, differences, NOTHING, readBackend, readProcessors, requestsIn } from '../support/books.ts'
import { ProcessorAdmin } from '../support/processor/admin-client.ts'
import type { System } from './system.ts'

/** What the processors booked, what our summary says and what was accepted differ: there are no figures. */
export class BooksError extends Error {
  override name = 'BooksError'
}

const DRAIN_POLL_MS = 50
/** Nothing gets settled for this long: what is missing is lost. */
const STUCK_AFTER_MS = 30_000
const CENTS_EACH = 1_990

/** Empties queue, ids and books of the pipeline and of both processors. */
export async function purge({ url, processorUrls }: System): Promise<void> {
  const response = await fetch(`${url}/purge-payments`, { method: 'POST' })
  if (!response.ok) throw new Error(`the purge before a measurement: status ${response.status}`)
  await Promise.all(Object.values(processorUrls).map(processor => new ProcessorAdmin(processor).purge()))
}

/** @throws BooksError when nothing more gets settled although something is missing */
export async function untilSettled(system: System, acceptedCount: number, signal: AbortSignal): Promise<void> {
  await untilEnough(acceptedCount, async () => requestsIn(await readBackend(system.url)), signal)
}

/** Polls a growing count of settled payments. @throws BooksError as untilSettled */
export async function untilEnough(
  acceptedCount: number,
  readSettled: () => Promise<number>,
  signal: AbortSignal
): Promise<void> {
  let last = -1
  let changedAtMs = performance.now()
  while (true) {
    const settled = await readSettled()
    if (settled >= acceptedCount) return
    if (settled !== last) changedAtMs = performance.now()
    last = settled
    if (performance.now() - changedAtMs > STUCK_AFTER_MS) {
      throw new BooksError(
        `${acceptedCount} payments were accepted, and ${settled} are settled since ${STUCK_AFTER_MS / 1_000} s`
      )
    }
    await sleep(DRAIN_POLL_MS, undefined, { signal })
  }
}

/**
 * All payments are of 19.90, but for those of a history that no processor has.
 * @returns how many are settled, without the history
 * @throws BooksError
 */
export async function checkBooks(
  { url, processorUrls }: System,
  acceptedCount: number,
  failedCount: number,
  history = NOTHING
): Promise<number> {
  const [processors, whole] = await Promise.all([readProcessors(processorUrls, '123'), readBackend(url)])
  const backend = added(whole, history)
  const objections = differences(processors, backend)
  const settled = requestsIn(backend)
  // What got no answer or a 5xx may have been kept all the same.
  if (settled < acceptedCount || settled > acceptedCount + failedCount) {
    objections.push(
      `${acceptedCount} payments were accepted, ${failedCount} requests failed, and ${settled} are settled`
    )
  }
  if (centsIn(backend) !== settled * CENTS_EACH)
    objections.push(`${settled} payments of 19.90 add up to ${centsIn(backend) / 100}`)
  if (objections.length > 0) throw new BooksError(objections.join('; '))
  return settled
}
