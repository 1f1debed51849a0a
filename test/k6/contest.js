/**
 * The contest: how much a payment backend earns while both of its processors misbehave by a schedule.
 *
 * Shows, for any backend with POST /payments and GET /payments-summary in front of two processors: whether its books
 * agree with the processors' while payments flow (an inconsistency costs 35 % of the profit), whether everything
 * accepted is settled by the end and at which fee, and how fast it answers (up to 20 % more for a low p99).
 *
 *   k6 run --quiet test/k6/contest.js                        against localhost
 *   SCHEDULE=schedules/published.json RESULT=json k6 run --quiet test/k6/contest.js
 *   npm run contest                                          starts everything that it needs, and more checks
 *
 * Environment:
 *   BACKEND_URL              http://localhost:9999
 *   DEFAULT_PROCESSOR_URL    http://localhost:8001; wants the admin API of the contest's processors
 *   FALLBACK_PROCESSOR_URL   http://localhost:8002
 *   TOKEN                    123, the processors' X-Rinha-Token
 *   SCHEDULE                 schedules/published.json; absolute, or relative to this file
 *   RESULT                   json prints one line of JSON on stdout (shape: Result in score.ts) instead of a table
 *
 * It EMPTIES both processors' books and asks the backend to empty its own. Wants k6 1.0 or later (imports of .ts).
 */
import http from 'k6/http'
import exec from 'k6/execution'
import { sleep } from 'k6'
import { Counter, Trend } from 'k6/metrics'
import { PROCESSOR_NAMES } from '../../shared/payment.ts'
import { differences } from '../support/books.ts'
import {
  admin,
  adminCall,
  askForBooks,
  backendUrl,
  describe,
  isSuccess,
  PAYMENT_TIMEOUT_MS,
  postPayment,
  readBooks,
  sleepUntil
} from './lib/system.js'
import { renderScore } from '../support/contest/score-table.ts'
import { CHECK_WINDOW_MS, parseSchedule } from '../support/contest/schedule.ts'
import { scoreRun } from '../support/contest/score.ts'

const schedule = parseSchedule(JSON.parse(open(__ENV.SCHEDULE || 'schedules/published.json')))

const CHECK_TIMEOUT_MS = 1500

const asked = new Counter('contest_asked')
const accepted = new Counter('contest_accepted')
const checks = new Counter('contest_checks')
const inconsistencies = new Counter('contest_inconsistencies')
const checksUnanswered = new Counter('contest_checks_unanswered')
const purged = new Counter('contest_purged')
// Requests to the backend only: what the processors' admin API takes is not the backend's doing.
const backendMs = new Trend('contest_backend_ms', true)
const settled = {}
for (const name of PROCESSOR_NAMES) {
  settled[name] = {
    requests: new Counter(`contest_settled_requests_${name}`),
    cents: new Counter(`contest_settled_cents_${name}`),
    feeCents: new Counter(`contest_fee_cents_${name}`),
    feePerTransaction: new Trend(`contest_fee_per_transaction_${name}`)
  }
}

const once = { executor: 'per-vu-iterations', vus: 1, iterations: 1, maxDuration: `${schedule.durationMs + 10_000}ms` }

export const options = {
  scenarios: {
    payments: {
      executor: 'ramping-vus',
      exec: 'payment',
      startVUs: schedule.users.from,
      stages: [{ duration: `${schedule.durationMs}ms`, target: schedule.users.to }],
      // A user who has begun finishes, so that nothing is asked for without being counted.
      gracefulRampDown: `${PAYMENT_TIMEOUT_MS + 1_000}ms`,
      gracefulStop: `${PAYMENT_TIMEOUT_MS + 1_000}ms`
    },
    stages: { ...once, exec: 'stages' },
    consistency: { ...once, exec: 'consistency' }
  },
  summaryTrendStats: ['avg', 'p(99)', 'max']
}

export function setup() {
  for (const name of PROCESSOR_NAMES) {
    admin(name, 'POST', 'purge-payments')
    configure(name, { delayMs: 0, failing: false })
  }
  const response = http.post(`${backendUrl}/purge-payments`, null, { timeout: '10s' })
  if (isSuccess(response)) {
    purged.add(1)
  } else {
    console.warn(
      `the backend did not empty its books (${describe(response)}); they should be empty: what is in them ` +
        'of the last 15 s counts as an inconsistency'
    )
  }
}

export function payment() {
  // Before the answer: a payment whose answer never comes has been asked for all the same.
  asked.add(1)
  const response = postPayment(schedule.amountCents)
  backendMs.add(response.timings.duration)
  if (isSuccess(response)) accepted.add(1)
  sleep(1)
}

export function stages() {
  const startMs = exec.scenario.startTime
  for (const stage of schedule.stages) {
    if (!sleepUntil(startMs + stage.atMs)) return
    // All at once: the processors change together.
    const calls = PROCESSOR_NAMES.flatMap(name => configurationCalls(name, stage[name]))
    for (const response of http.batch(calls)) {
      if (!isSuccess(response)) console.error(`${response.url}: ${describe(response)}`)
    }
    progress(startMs, PROCESSOR_NAMES.map(name => `${name} ${describeBehaviour(stage[name])}`).join(', '))
  }
}

export function consistency() {
  const startMs = exec.scenario.startTime
  for (let atMs = 0; atMs < schedule.durationMs; atMs += schedule.checkEveryMs) {
    if (!sleepUntil(startMs + atMs)) return
    progress(startMs, compareBooks(Date.now()))
  }
}

export function teardown() {
  for (const name of PROCESSOR_NAMES) {
    const books = admin(name, 'GET', 'payments-summary')
    settled[name].requests.add(books.totalRequests)
    settled[name].cents.add(centsOf(books.totalAmount))
    settled[name].feeCents.add(centsOf(books.totalFee))
    settled[name].feePerTransaction.add(books.feePerTransaction)
  }
  // The books are read: what is left over may settle now.
  for (const name of PROCESSOR_NAMES) configure(name, { delayMs: 0, failing: false })
}

export function handleSummary({ metrics }) {
  // Nothing was asked: setup() failed and has said why. Zeros in a table would look like a result.
  if (!metrics.contest_asked) return { stdout: '' }
  const value = (name, kind) => metrics[name]?.values[kind] ?? 0
  const settledAt = name => ({
    requests: value(`contest_settled_requests_${name}`, 'count'),
    cents: value(`contest_settled_cents_${name}`, 'count'),
    feeCents: value(`contest_fee_cents_${name}`, 'count'),
    feePerTransaction: value(`contest_fee_per_transaction_${name}`, 'max')
  })
  const result = scoreRun({
    amountCents: schedule.amountCents,
    asked: value('contest_asked', 'count'),
    accepted: value('contest_accepted', 'count'),
    p99Ms: metrics.contest_backend_ms?.values['p(99)'] ?? null,
    checks: value('contest_checks', 'count'),
    inconsistencies: value('contest_inconsistencies', 'count'),
    checksUnanswered: value('contest_checks_unanswered', 'count'),
    wasPurged: value('contest_purged', 'count') > 0,
    default: settledAt('default'),
    fallback: settledAt('fallback')
  })
  return { stdout: `${__ENV.RESULT === 'json' ? JSON.stringify(result) : renderScore(result)}\n` }
}

/** Asks all three for their books at the same moment; returns what to say about it. */
function compareBooks(nowMs) {
  const from = new Date(nowMs - CHECK_WINDOW_MS).toISOString()
  const to = new Date(nowMs - schedule.checkLagMs).toISOString()
  const range = `from=${from}&to=${to}`
  const responses = askForBooks(range, CHECK_TIMEOUT_MS)
  checks.add(1)
  backendMs.add(responses.backend.timings.duration)

  for (const name of PROCESSOR_NAMES) {
    if (isSuccess(responses[name])) continue
    checksUnanswered.add(1)
    return `books not compared: ${name} did not answer (${describe(responses[name])})`
  }
  let found
  try {
    const { processors, backend } = readBooks(responses)
    found = differences(processors, backend)
  } catch (error) {
    inconsistencies.add(1)
    return `BOOKS UNKNOWN: ${error.message}`
  }
  if (found.length === 0) return 'books agree'
  inconsistencies.add(1)
  return `BOOKS DIFFER over ${range}: ${found.join('; ')}`
}

function centsOf(amount) {
  return Math.round(amount * 100)
}

function configurationCalls(name, { delayMs, failing }) {
  return [
    adminCall(name, 'PUT', 'configurations/delay', { delay: delayMs }, CHECK_TIMEOUT_MS),
    adminCall(name, 'PUT', 'configurations/failure', { failure: failing }, CHECK_TIMEOUT_MS)
  ]
}

function configure(name, { delayMs, failing }) {
  admin(name, 'PUT', 'configurations/delay', { delay: delayMs })
  admin(name, 'PUT', 'configurations/failure', { failure: failing })
}

function describeBehaviour({ delayMs, failing }) {
  return `${failing ? 'FAILING' : 'fine'} with ${delayMs} ms`
}

function progress(startMs, text) {
  const atMs = Date.now() - startMs
  const leftMs = Math.max(0, schedule.durationMs - atMs)
  console.log(`${(atMs / 1000).toFixed(1).padStart(6)} s  ${text}; ${Math.round(leftMs / 1000)} s left`)
}
