// One client that asks for summaries in an open loop and checks each answer against the benchmark's own sums.
import { Pool } from 'undici'
import { totalsOf, type Books } from '../../k6/books.ts'
import { BooksError } from '../system-books.ts'
import type { Ledger } from './ledger.ts'
import { pathOf, type Range } from './ranges.ts'

export type Answer = { range: Range; latencyMs: number }

export type Asking = {
  /**
   * Asks no more, and waits for the answers under way. @throws BooksError when an answer was wrong; whatever made one
   * fail
   */
  end: () => Promise<{ answers: Answer[]; lateMs: number[] }>
}

/** More than ever wait for an answer, so that each is sent when it is due. */
const CONNECTIONS = 64
const TICK_MS = 1

/**
 * Latency counts from when a question was sent. That is open-loop all the same, since no question waits for the answer
 * to another; how late each was sent after it was due is this program's own timer.
 */
export function startAsking(
  url: string,
  perSecond: number,
  nextRange: () => Range,
  ledger: Ledger,
  signal: AbortSignal
): Asking {
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1, headersTimeout: 10_000 })
  const answers: Answer[] = []
  const lateMs: number[] = []
  const asked: Promise<void>[] = []
  let problem: unknown
  const startedAtMs = performance.now()

  const ask = async (range: Range) => {
    const sentAtMs = performance.now()
    const { statusCode, body } = await pool.request({ method: 'GET', path: pathOf(range) })
    const text = await body.text()
    answers.push({ range, latencyMs: performance.now() - sentAtMs })
    if (statusCode !== 200) throw new Error(`a summary was answered with ${statusCode}: ${text}`)
    assertRight(range, text, ledger)
  }
  const timer = setInterval(() => {
    for (
      let dueMs = startedAtMs + (asked.length / perSecond) * 1_000;
      dueMs <= performance.now();
      dueMs = startedAtMs + (asked.length / perSecond) * 1_000
    ) {
      lateMs.push(performance.now() - dueMs)
      asked.push(
        ask(nextRange()).catch((error: unknown) => {
          problem ??= error
        })
      )
    }
  }, TICK_MS)
  signal.addEventListener(
    'abort',
    () => {
      clearInterval(timer)
    },
    { once: true }
  )

  return {
    async end() {
      clearInterval(timer)
      await Promise.all(asked)
      await pool.close()
      if (problem !== undefined) throw problem as Error
      return { answers, lateMs }
    }
  }
}

/** Exactly right; what arrived meanwhile is in nothing but the range without bounds. @throws BooksError */
export function assertRight(range: Range, text: string, ledger: Ledger): void {
  const answered = JSON.parse(text) as Partial<Books>
  const expected = ledger.sum(range.fromMs, range.toMs)
  for (const name of ['default', 'fallback'] as const) {
    const [{ requests, cents }, own] = [totalsOf(answered[name], 'the summary'), expected[name]]
    const isRight =
      range.toMs === Infinity
        ? requests >= own.requests && cents >= own.cents
        : requests === own.requests && cents === own.cents
    if (!isRight)
      throw new BooksError(
        `${pathOf(range)}: ${name} should have ${own.requests} payments for ${own.cents / 100}, the answer was ${text}`
      )
  }
}
