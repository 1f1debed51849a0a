/**
 * Outage: both processors fail for a while. Does the backend go on accepting, and how soon has it caught up afterwards?
 *
 * Offers a constant rate, before, during and after an outage in which both processors refuse every payment, to any
 * backend with POST /payments and GET /payments-summary in front of two processors with the contest's admin API. At its
 * end it waits until everything is settled and checks the books: what was accepted, what the processors booked and what
 * the backend's summary says must be the same, to the cent; the exit code is 0 only then. Nothing needs to be empty
 * before, but nobody else may send payments meanwhile.
 *
 *   k6 run --quiet test/k6/outage.js
 *   k6 run --quiet -e RATE=1000 -e DOWN_SECONDS=60 test/k6/outage.js
 *
 * It sets the failure flag of BOTH processors and clears it again: at the recovery, and whenever k6 ends, also by the
 * first Ctrl-C or after an error. Only a second Ctrl-C or a kill leaves them failing; then
 *   curl -X PUT -H 'X-Rinha-Token: 123' -d '{"failure":false}' http://localhost:8001/admin/configurations/failure
 * and the same for port 8002.
 *
 * Parameters, with -e NAME=… or from the environment:
 *   RATE                     500 payments a second, all the time
 *   BEFORE_SECONDS           5
 *   DOWN_SECONDS             20
 *   AFTER_SECONDS            20: the load goes on while the backend catches up
 *   AMOUNT                   of each payment; if unset, another one each time, from 0.01 to 99.99
 *   VUS                      payments that can wait for an answer in one phase; if unset, half the rate, at least 20
 *   SETTLE_SECONDS           45: how long nothing may get settled before the missing counts as lost
 *   BACKEND_URL              http://localhost:9999
 *   DEFAULT_PROCESSOR_URL    http://localhost:8001
 *   FALLBACK_PROCESSOR_URL   http://localhost:8002
 *   TOKEN                    123, the processors' X-Rinha-Token
 *
 * The load is open-loop (constant-arrival-rate): payments start by the clock even while earlier ones wait, so a slow
 * answer delays no later payment and hides nothing (no coordinated omission).
 *
 * What it prints, a line for each phase:
 *   offered, dropped   sent; not sent, because as many as VUS allows were waiting. Dropped load was never offered
 *   accepted, failed   answered with 2xx; with anything else, or not within 10 s
 *   p50, p99, max      time until the answer, over accepted and failed; the outage should not show in them
 *   default, fallback  settled during the phase, by the processors' books; during the outage only what was under way
 *   unsettled          accepted but not settled at the end of the phase: after `down`, the backlog
 *   summary ms         what GET /payments-summary took at the end of the phase
 * and the time to drain: from the recovery until no more is unsettled than arrives in a quarter of a second, read four
 * times a second. If payments still fail after the recovery, it is told a little too short.
 *
 * Wants k6 1.0 or later (imports of .ts). Exit codes: 99 books wrong or not compared, 105 Ctrl-C, 107 wrong parameter,
 * 108 backend or processor not reachable.
 */
import http from 'k6/http'
import { Trend } from 'k6/metrics'
import { PROCESSOR_NAMES } from '../../shared/payment.ts'
import { createLoad, say } from './lib/load.js'
import { readWholeNumber } from './lib/parameters.ts'
import { adminCall, describe, isSuccess } from './lib/system.js'
import { count } from '../support/numbers.ts'

const rate = readWholeNumber(__ENV, 'RATE', 500, 1, 20_000)
const beforeSeconds = readWholeNumber(__ENV, 'BEFORE_SECONDS', 5, 1, 600)
const downSeconds = readWholeNumber(__ENV, 'DOWN_SECONDS', 20, 1, 600)
const afterSeconds = readWholeNumber(__ENV, 'AFTER_SECONDS', 20, 1, 600)

const READ_EVERY_MS = 250
// A backend at work always has something unsettled.
const caughtUpAt = rate / 4

const drainMs = new Trend('outage_drain_ms', true)
const drainRate = new Trend('outage_drain_rate')

let recoveredAtMs
const load = createLoad(
  `Outage: both processors fail for ${downSeconds} s`,
  [
    { name: 'before', rate, seconds: beforeSeconds },
    {
      name: 'down',
      rate,
      seconds: downSeconds,
      enter(startMs) {
        setFailing(true)
        say(startMs, 'both processors fail from now on')
      }
    },
    {
      name: 'after',
      rate,
      seconds: afterSeconds,
      enter(startMs) {
        setFailing(false)
        recoveredAtMs = Date.now() - startMs
        say(startMs, 'both processors work again')
      }
    }
  ],
  READ_EVERY_MS
)

export const { options, setup, payment } = load

export function observe(start) {
  const readings = load.observe(start)
  if (readings === undefined) return
  // Completed, but not settled in the end: what failed. Nobody here knows when; what failed after the recovery counts
  // as failed before it, and makes the backlog look smaller by as much.
  const last = readings.at(-1)
  const unsettledIn = ({ completed, settled }) => completed - settled - (last.completed - last.settled)
  const atRecovery = readings.findLast(({ atMs }) => atMs <= recoveredAtMs)
  const caughtUp = readings.find(reading => reading.atMs > recoveredAtMs && unsettledIn(reading) <= caughtUpAt)
  // The books may not have been readable for all of the time before.
  if (atRecovery === undefined) return
  const spentMs = caughtUp.atMs - recoveredAtMs
  drainMs.add(spentMs)
  drainRate.add((caughtUp.settled - atRecovery.settled) / (spentMs / 1000))
}

export function teardown() {
  setFailing(false)
}

export function handleSummary(data) {
  return load.report(data, (value, [before, down]) => {
    const [ms, perSecond] = [value('outage_drain_ms', 'max'), value('outage_drain_rate', 'max')]
    if (ms === undefined || down.settled === undefined) return []
    const waiting = Math.max(0, before.accepted + down.accepted - down.settled.default - down.settled.fallback)
    return [
      `TIME TO DRAIN: ${(ms / 1000).toFixed(1)} s from the recovery, when ${count(waiting)} payments were unsettled, until ` +
        'caught up;',
      `${count(Math.round(perSecond))} a second were settled in that time` +
        (ms < afterSeconds * 1000 ? ', while the load went on.' : ', and the load ended before.')
    ]
  })
}

/** @throws when a processor does not take it, after having told both */
function setFailing(isFailing) {
  const calls = PROCESSOR_NAMES.map(name =>
    adminCall(name, 'PUT', 'configurations/failure', { failure: isFailing }, 10_000)
  )
  for (const response of http.batch(calls)) {
    if (isSuccess(response)) continue
    throw new Error(`PUT ${response.request.url} failure=${isFailing}: ${describe(response)}`)
  }
}
