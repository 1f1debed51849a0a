/**
 * Throughput: how many payments a second a backend accepts, and how fast it answers at each rate.
 *
 * Offers a constant rate, higher in each step, to any backend with POST /payments and GET /payments-summary in front of
 * two processors. At its end it waits until everything is settled and checks the books: what was accepted, what the
 * processors booked and what the backend's summary says must be the same, to the cent. A figure of a backend that loses
 * or doubles payments is worth nothing, so the exit code is 0 only if the books are right. Nothing needs to be empty
 * before, but nobody else may send payments meanwhile.
 *
 *   k6 run --quiet test/k6/throughput.js
 *   k6 run --quiet -e RATES=200,400,800 -e STEP_SECONDS=10 test/k6/throughput.js
 *
 * Parameters, with -e NAME=… or from the environment:
 *   RATES                    500,1000,2000: payments a second in each step
 *   STEP_SECONDS             20
 *   AMOUNT                   of each payment; if unset, another one each time, from 0.01 to 99.99
 *   VUS                      payments that can wait for an answer in one step; if unset, half the rate, at least 20
 *   SETTLE_SECONDS           45: how long nothing may get settled before the missing counts as lost
 *   BACKEND_URL              http://localhost:9999
 *   DEFAULT_PROCESSOR_URL    http://localhost:8001; the admin API is only read: no setting of a processor is changed
 *   FALLBACK_PROCESSOR_URL   http://localhost:8002
 *   TOKEN                    123, the processors' X-Rinha-Token
 *
 * The load is open-loop (constant-arrival-rate): payments start by the clock even while earlier ones wait, so a slow
 * answer delays no later payment and hides nothing (no coordinated omission).
 *
 * What it prints, a line for each step:
 *   offered, dropped   sent; not sent, because as many as VUS allows were waiting. Dropped load was never offered: with
 *                      more than a few, the step says what happens at a lower rate than it is named after
 *   accepted, failed   answered with 2xx; with anything else, or not within 10 s
 *   p50, p99, max      time until the answer, over accepted and failed
 *   default, fallback  settled during the step, by the processors' books
 *   unsettled          accepted but not settled at the end of the step: when it grows from step to step, payments are
 *                      accepted faster than they can be settled
 *   summary ms         what GET /payments-summary took at the end of the step
 *
 * k6, the backend and the processors on one machine share its cores: look at the load of all three before the p99 is
 * taken for the backend's. Wants k6 1.0 or later (imports of .ts). Exit codes: 99 books wrong or not compared, 107
 * wrong parameter, 108 backend or processor not reachable.
 */
import { createLoad } from './lib/load.js'
import { readWholeNumber, readWholeNumbers } from './lib/parameters.ts'

const rates = readWholeNumbers(__ENV, 'RATES', [500, 1_000, 2_000], 1, 20_000, 20)
const seconds = readWholeNumber(__ENV, 'STEP_SECONDS', 20, 1, 600)

const load = createLoad(
  `Throughput: ${seconds} s at each rate`,
  rates.map((rate, index) => ({ name: `step ${index + 1}`, rate, seconds }))
)

export const { options, setup, payment } = load

export function observe(start) {
  load.observe(start)
}

export function handleSummary(data) {
  return load.report(data)
}
