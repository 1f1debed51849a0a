// One client that asks for summaries of many ranges in an open loop and checks each answer against the benchmark's own
// sums.
import { Pool } from 'undici'
import { totalsOf, type Books } from '../../support/books.ts'
import { ascending, quantile } from '../../support/statistics.ts'
import { BooksError } from '../system-books.ts'
import { DAYS, type Ledger } from './ledger.ts'

export const RANGES = ['all time', '30 days', '15 s', 'any'] as const
export type RangeName = (typeof RANGES)[number]

export type Range = { name: RangeName; fromMs: number; toMs: number }

/**
 * The ranges by turns: everything; 30 days that begin and end at an odd millisecond; 15 s that do; any two times. All
 * but the first lie before what arrives while they are asked.
 * @param random from 0 to below 1
 */
export function createRanges({ startMs, endMs }: Ledger, random: () => number): () => Range {
  let turn = 0
  // Not at the beginning of a second or of ten, so that as many fields as possible have to be read.
  const odd = (timeMs: number) => Math.floor(timeMs / 2) * 2 + 1
  const within = (fromMs: number, toMs: number) => odd(fromMs + random() * (toMs - fromMs - 2))
  return () => {
    const name = RANGES[turn++ % RANGES.length] ?? 'any'
    switch (name) {
      case 'all time':
        return { name, fromMs: 0, toMs: Infinity }
      case '30 days': {
        const toMs = within(endMs - 86_400_000, endMs)
        return { name, fromMs: toMs - DAYS * 86_400_000, toMs }
      }
      case '15 s': {
        const fromMs = within(startMs, endMs - 15_000)
        return { name, fromMs, toMs: fromMs + 15_000 }
      }
      case 'any': {
        const [one, other] = [within(startMs, endMs), within(startMs, endMs)]
        return { name, fromMs: Math.min(one, other), toMs: Math.max(one, other) }
      }
    }
  }
}

/** The request for a range; everything has no bounds. */
export function pathOf({ fromMs, toMs }: Range): string {
  if (toMs === Infinity) return '/payments-summary'
  return `/payments-summary?from=${new Date(fromMs).toISOString()}&to=${new Date(toMs).toISOString()}`
}

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
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })

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

export type Summaries = {
  ranges: Record<RangeName, { asked: number; p50Ms: number; p99Ms: number; maxMs: number }>
  /** How late this program sent a question after it was due. */
  lateP99Ms: number
}

export function summariesOf(answers: readonly Answer[], lateMs: readonly number[]): Summaries {
  const of = (name: RangeName) => {
    const latencies = ascending(answers.filter(({ range }) => range.name === name).map(({ latencyMs }) => latencyMs))
    return {
      asked: latencies.length,
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
      maxMs: quantile(latencies, 1)
    }
  }
  return {
    ranges: Object.fromEntries(RANGES.map(name => [name, of(name)])) as Summaries['ranges'],
    lateP99Ms: quantile(ascending(lateMs), 0.99)
  }
}
