// The two sets of books, in whole cents, and what they differ in. k6 imports this too: only the functions that read
// over HTTP use anything of Node.
import { PROCESSOR_NAMES, type ProcessorName } from '../../shared/payment.ts'

export type Totals = { requests: number; cents: number }
export type Books = Record<ProcessorName, Totals>

export const NOTHING: Books = { default: { requests: 0, cents: 0 }, fallback: { requests: 0, cents: 0 } }

export type ProcessorUrls = Record<ProcessorName, string>

const TIMEOUT_MS = 5_000

/** Everything that the processors have. @throws Error that names the processor which does not answer as it should */
export async function readProcessors(urls: ProcessorUrls, token: string): Promise<Books> {
  const [byDefault, byFallback] = await Promise.all(
    PROCESSOR_NAMES.map(async name => {
      const summary = await readJson(`${urls[name]}/admin/payments-summary`, { 'X-Rinha-Token': token })
      return totalsOf(summary, `${name} at ${urls[name]}`)
    })
  )
  if (byDefault === undefined || byFallback === undefined) throw new Error('unreachable')
  return { default: byDefault, fallback: byFallback }
}

/** Everything that the backend says it has. @throws Error when it does not answer as it should */
export async function readBackend(url: string): Promise<Books> {
  const summary = (await readJson(`${url}/payments-summary`)) as Partial<Record<ProcessorName, unknown>> | null
  const where = `the backend at ${url}`
  return { default: totalsOf(summary?.default, where), fallback: totalsOf(summary?.fallback, where) }
}

export function requestsIn(books: Books): number {
  return books.default.requests + books.fallback.requests
}

export function centsIn(books: Books): number {
  return books.default.cents + books.fallback.cents
}

/** What has been added to the books since they stood like `before`. */
export function added(books: Books, before: Books): Books {
  const since = (name: ProcessorName): Totals => ({
    requests: books[name].requests - before[name].requests,
    cents: books[name].cents - before[name].cents
  })
  return { default: since('default'), fallback: since('fallback') }
}

/** One sentence for each processor whose books differ. */
export function differences(processors: Books, backend: Books): string[] {
  return PROCESSOR_NAMES.flatMap(name => {
    const [theirs, ours] = [processors[name], backend[name]]
    if (theirs.requests === ours.requests && theirs.cents === ours.cents) return []
    return [`${name} has ${describe(theirs)}, the backend says ${describe(ours)}`]
  })
}

function describe({ requests, cents }: Totals): string {
  return `${requests} payments for ${(cents / 100).toFixed(2)}`
}

/** The totals in a summary, by a processor or by the backend. @throws Error that names `where` when it is no summary */
export function totalsOf(given: unknown, where: string): Totals {
  const { totalRequests, totalAmount } = (given ?? {}) as Record<string, unknown>
  const isSummary = typeof totalRequests === 'number' && typeof totalAmount === 'number'
  if (!isSummary) throw new Error(`${where} answers no summary`)
  return { requests: totalRequests, cents: Math.round(totalAmount * 100) }
}

async function readJson(url: string, headers: Record<string, string> = {}): Promise<unknown> {
  let response: Response
  try {
    response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) })
  } catch (error) {
    const { cause, message } = error as Error
    throw new Error(`GET ${url}: ${cause instanceof Error ? cause.message : message}`, { cause: error })
  }
  if (!response.ok) throw new Error(`GET ${url}: status ${response.status}`)
  return await response.json()
}
