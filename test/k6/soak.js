/**
 * Soak: a steady load for long. Does anything drift: answers that get slower, a queue that grows, books that part?
 *
 * Offers a constant rate to any backend with POST /payments and GET /payments-summary in front of two processors, and
 * prints the figures of each interval, so that a trend shows. At its end it waits until everything is settled and
 * checks the books: what was accepted, what the processors booked and what the backend's summary says must be the same,
 * to the cent; the exit code is 0 only then. Nothing needs to be empty before, but nobody else may send payments
 * meanwhile.
 *
 *   k6 run --quiet test/k6/soak.js
 *   k6 run --quiet -e RATE=100 -e DURATION_SECONDS=7200 -e INTERVALS=24 test/k6/soak.js
 *
 * Parameters, with -e NAME=… or from the environment:
 *   RATE                     200 payments a second
 *   DURATION_SECONDS         600
 *   INTERVALS                10 of the same length, which must be whole seconds
 *   AMOUNT                   of each payment; if unset, another one each time, from 0.01 to 99.99
 *   VUS                      payments that can wait for an answer in one interval; if unset, half the rate, at least 20
 *   SETTLE_SECONDS           45: how long nothing may get settled before the missing counts as lost
 *   BACKEND_URL              http://localhost:9999
 *   DEFAULT_PROCESSOR_URL    http://localhost:8001; the admin API is only read: no setting of a processor is changed
 *   FALLBACK_PROCESSOR_URL   http://localhost:8002
 *   TOKEN                    123, the processors' X-Rinha-Token
 *
 * The load is open-loop (constant-arrival-rate): payments start by the clock even while earlier ones wait, so a slow
 * answer delays no later payment and hides nothing (no coordinated omission).
 *
 * What it prints, a line for each interval:
 *   offered, dropped   sent; not sent, because as many as VUS allows were waiting. Dropped load was never offered
 *   accepted, failed   answered with 2xx; with anything else, or not within 10 s
 *   p50, p99, max      time until the answer, over accepted and failed
 *   default, fallback  settled during the interval, by the processors' books
 *   unsettled          accepted but not settled at the end of the interval: a queue that grows
 *   summary ms         what GET /payments-summary took at the end of the interval, once: it should not grow with the
 *   books
 * and the drift of p99, unsettled and summary from the first interval to the last. The first one has the start of
 * everything in it (new connections, code not yet compiled): compare with the second one, too.
 *
 * k6 keeps every answer's time in memory, some 100 MB for a million payments. Wants k6 1.0 or later (imports of .ts).
 * Exit codes: 99 books wrong or not compared, 107 wrong parameter, 108 backend or processor not reachable.
 */
import { createLoad } from './lib/load.js'
import { readWholeNumber } from './lib/parameters.ts'

const rate = readWholeNumber(__ENV, 'RATE', 200, 1, 20_000)
const durationSeconds = readWholeNumber(__ENV, 'DURATION_SECONDS', 600, 2, 7 * 86_400)
const intervals = readWholeNumber(__ENV, 'INTERVALS', 10, 2, 200)
const seconds = durationSeconds / intervals
if (!Number.isInteger(seconds)) {
  throw new Error(`DURATION_SECONDS (${durationSeconds}) must be a multiple of INTERVALS (${intervals})`)
}

const load = createLoad(
  `Soak: ${rate} payments a second for ${durationSeconds} s`,
  Array.from({ length: intervals }, (_, index) => ({
    name: `${index * seconds}-${(index + 1) * seconds} s`,
    rate,
    seconds
  }))
)

export const { options, setup, payment } = load

export function observe(start) {
  load.observe(start)
}

export function handleSummary(data) {
  return load.report(data, (_, rows) => [drift('p99', rows, 'p99Ms'), drift('summary', rows, 'summaryMs')])
}

function drift(name, rows, figure) {
  const values = rows.map(row => row[figure]).filter(value => value !== undefined)
  if (values.length === 0) return `${name}: no figures`
  const [first, second, last] = [values[0], values[1], values.at(-1)].map(value => (value ?? 0).toFixed(2))
  return (
    `${name.padEnd(7)}  ${first} ms in the first interval, ${second} in the second, ${last} in the last; ` +
    `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)} over all`
  )
}
