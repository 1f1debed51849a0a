/**
 * Open-loop load in phases, and the books checked at its end; what throughput.js, outage.js and soak.js share.
 *
 * Open loop: k6 starts payments by the clock, whether or not earlier ones are answered, so a slow backend can't slow
 * down its own load and make its figures look better (coordinated omission). What k6 had no free user for is not
 * offered at all; it is counted as dropped.
 *
 * Beside the load runs one observer. It reads the books of all three at the end of each phase and, after the last one,
 * until everything is settled or nothing has been settled for SETTLE_SECONDS. The books count from how they stood at
 * the start, so neither the backend nor the processors need to be empty.
 */
import exec from 'k6/execution'
import { sleep } from 'k6'
import { Counter, Trend } from 'k6/metrics'
import { PROCESSOR_NAMES } from '../../../shared/payment.ts'
import { added, centsIn, differences, requestsIn } from '../../support/books.ts'
import { renderLoad } from './load-report.ts'
import { readAmountCents, readWholeNumber } from './parameters.ts'
import { askForBooks, isSuccess, PAYMENT_TIMEOUT_MS, postPayment, readBooks, sleepUntil } from './system.js'

const fixedCents = readAmountCents(__ENV, 'AMOUNT')
const settleMs = readWholeNumber(__ENV, 'SETTLE_SECONDS', 45, 1, 600) * 1000
const givenUsers = readWholeNumber(__ENV, 'VUS', 0, 1, 10_000)

const WATCH_EVERY_MS = 100
// How long nothing may change before the books count as final, although nothing is missing: a payment made twice
// would show up late.
const QUIET_MS = 1_000
const WATCH_MAX_MS = 30 * 60_000
// Payments that are still under way when a phase ends are waited for.
const GRACE_MS = PAYMENT_TIMEOUT_MS + 1_000

/**
 * @param title what the report is headed with
 * @param phases [{ name, rate, seconds, enter }]: a name of letters, digits, "-" and blanks, payments a second, and
 *   what to do at the beginning of the phase (may be missing)
 * @param readEveryMs how often the books are read while the load runs; if missing, at the end of each phase
 * @returns what a k6 script exports, and report()
 */
export function createLoad(title, phases, readEveryMs = Infinity) {
  const id = ({ name }) => name.replaceAll(' ', '_')
  const startMsOf = index => phases.slice(0, index).reduce((sum, { seconds }) => sum + seconds * 1000, 0)
  const loadMs = startMsOf(phases.length)
  const metrics = phases.map((_, index) => createPhaseMetrics(index + 1))
  const indexById = Object.fromEntries(phases.map((phase, index) => [id(phase), index]))
  const books = createBooksMetrics()

  const scenarios = Object.fromEntries(
    phases.map((phase, index) => [
      id(phase),
      {
        executor: 'constant-arrival-rate',
        exec: 'payment',
        rate: phase.rate,
        timeUnit: '1s',
        startTime: `${startMsOf(index)}ms`,
        duration: `${phase.seconds}s`,
        // All from the start: k6 drops what it has to start a user for.
        preAllocatedVUs: givenUsers || Math.max(20, Math.ceil(phase.rate / 2)),
        gracefulStop: `${GRACE_MS}ms`
      }
    ])
  )
  const thresholds = Object.fromEntries(
    phases.map(phase => [
      // Always met: k6 counts by scenario only what has a threshold.
      `dropped_iterations{scenario:${id(phase)}}`,
      ['count>=0']
    ])
  )

  const options = {
    scenarios: {
      ...scenarios,
      observer: {
        executor: 'per-vu-iterations',
        exec: 'observe',
        vus: 1,
        iterations: 1,
        maxDuration: `${loadMs + GRACE_MS + WATCH_MAX_MS + settleMs}ms`
      }
    },
    thresholds: {
      ...thresholds,
      // One for each objection of the verdict, so that the exit code says the same; see createBooksMetrics().
      books_compared: ['count==1'],
      books_different: ['count==0'],
      payments_accepted: ['count>0'],
      payments_owed: ['count<=0'],
      cents_owed: ['count<=0'],
      payments_beyond: ['count<=0'],
      cents_beyond: ['count<=0']
    },
    summaryTrendStats: ['med', 'p(99)', 'max'],
    setupTimeout: '60s'
  }

  function setup() {
    try {
      return readStandingBooks()
    } catch (error) {
      return exec.test.abort(error.message)
    }
  }

  function payment() {
    const { offered, accepted, answerMs } = metrics[indexById[exec.scenario.name]]
    const cents = fixedCents ?? 1 + Math.floor(Math.random() * 9_999)
    // Before the answer: a payment whose answer never comes may be settled all the same.
    offered.add(1)
    books.beyond.add(-1)
    books.centsBeyond.add(-cents)
    const response = postPayment(cents)
    answerMs.add(response.timings.duration)
    if (isSuccess(response)) {
      accepted.add(1)
      books.accepted.add(1)
      books.owed.add(1)
      books.centsOwed.add(cents)
    } else if (isRefusal(response)) {
      books.refused.add(1)
      books.beyond.add(1)
      books.centsBeyond.add(cents)
    }
  }

  /** @returns the readings of the books, oldest first, or undefined when k6 was stopped */
  function observe(start) {
    const startMs = exec.scenario.startTime
    const readings = []
    const read = () => {
      // First: what is settled may be ahead of this figure, never behind because of the order of asking.
      const completed = exec.instance.iterationsCompleted
      const responses = askForBooks()
      const now = readBooks(responses)
      const processors = added(now.processors, start.processors)
      const backend = added(now.backend, start.backend)
      const reading = {
        atMs: Date.now() - startMs,
        completed,
        settled: requestsIn(processors),
        settledCents: centsIn(processors),
        processors,
        backend,
        summaryMs: responses.backend.timings.duration
      }
      readings.push(reading)
      return reading
    }
    try {
      for (const [index, phase] of phases.entries()) {
        phase.enter?.(startMs)
        const endMs = startMs + startMsOf(index + 1)
        for (let atMs = Date.now() + readEveryMs; atMs < endMs; atMs += readEveryMs) {
          if (!sleepUntil(atMs)) return undefined
          tryTo(read)
        }
        if (!sleepUntil(endMs)) return undefined
        const reading = tryTo(read)
        if (reading === undefined) continue
        const { processors, settled, summaryMs, completed } = reading
        for (const name of PROCESSOR_NAMES) metrics[index].settled[name].add(processors[name].requests)
        metrics[index].summaryMs.add(summaryMs)
        say(startMs, `${phase.name} is over: so far ${completed} payments answered, ${settled} settled`)
      }
      const last = watchUntilSettled(read)
      if (last === undefined) return undefined
      recordBooks(last)
      books.settledAfterMs.add(Math.max(0, timeOfLast(readings) - loadMs))
      return readings
    } catch (error) {
      return exec.test.abort(error.message)
    }
  }

  /** The last reading; undefined when k6 was stopped. @throws when the books can't be read for too long */
  function watchUntilSettled(read) {
    let last
    let changedMs = Date.now()
    const untilMs = Date.now() + WATCH_MAX_MS
    while (Date.now() < untilMs) {
      if (!sleepUntil(Date.now() + WATCH_EVERY_MS)) return undefined
      const isPatienceOver = Date.now() - changedMs >= settleMs
      const reading = isPatienceOver ? read() : tryTo(read)
      if (reading === undefined) continue
      if (last === undefined || booksOf(reading) !== booksOf(last) || reading.completed !== last.completed) {
        changedMs = Date.now()
      }
      last = reading
      // The observer is the one user that is left.
      const hasEnded = exec.instance.vusActive <= 1
      const isComplete =
        reading.settled >= reading.completed && differences(reading.processors, reading.backend).length === 0
      if (hasEnded && Date.now() - changedMs >= (isComplete ? QUIET_MS : settleMs)) return last
    }
    console.warn(`the books still change ${WATCH_MAX_MS / 60_000} minutes after the load; compared as they are`)
    return read()
  }

  function recordBooks({ processors, backend, settled, settledCents }) {
    books.compared.add(1)
    books.different.add(differences(processors, backend).length)
    books.owed.add(-settled)
    books.centsOwed.add(-settledCents)
    books.beyond.add(settled)
    books.centsBeyond.add(settledCents)
    for (const name of PROCESSOR_NAMES) {
      books.processors[name].requests.add(processors[name].requests)
      books.processors[name].cents.add(processors[name].cents)
      books.backend[name].requests.add(backend[name].requests)
      books.backend[name].cents.add(backend[name].cents)
    }
  }

  /**
   * What handleSummary() returns.
   * @param remarks (value, rows) => lines under the table; value(metric, kind) is undefined without a sample
   */
  function report({ metrics: given }, remarks = () => []) {
    const value = (name, kind) => given[name]?.values[kind]
    const total = name => value(name, 'count') ?? 0
    const rows = phases.map((phase, index) => {
      const number = index + 1
      const isOver = value(`summary_ms_${number}`, 'max') !== undefined
      return {
        name: phase.name,
        rate: phase.rate,
        offered: total(`offered_${number}`),
        dropped: total(`dropped_iterations{scenario:${id(phase)}}`),
        accepted: total(`accepted_${number}`),
        p50Ms: value(`answer_ms_${number}`, 'med'),
        p99Ms: value(`answer_ms_${number}`, 'p(99)'),
        maxMs: value(`answer_ms_${number}`, 'max'),
        // How the books stood when the phase was over.
        settled: isOver
          ? { default: total(`settled_default_${number}`), fallback: total(`settled_fallback_${number}`) }
          : undefined,
        summaryMs: value(`summary_ms_${number}`, 'max')
      }
    })
    // Nothing was offered: setup() has said why. Zeros in a table would look like a result.
    if (rows.every(({ offered }) => offered === 0)) return { stdout: '' }
    const totals = side =>
      Object.fromEntries(
        PROCESSOR_NAMES.map(name => [
          name,
          {
            requests: total(`${side}_${name}_requests`),
            cents: total(`${side}_${name}_cents`)
          }
        ])
      )
    return {
      stdout: `\n${renderLoad({
        title,
        rows,
        remarks: remarks(value, rows),
        settledAfterMs: value('settled_after_ms', 'max'),
        wasCompared: total('books_compared') === 1,
        accepted: total('payments_accepted'),
        refused: total('payments_refused'),
        owed: total('payments_owed'),
        centsOwed: total('cents_owed'),
        beyond: total('payments_beyond'),
        centsBeyond: total('cents_beyond'),
        processors: totals('processors'),
        backend: totals('backend')
      })}\n`
    }
  }

  return { options, setup, payment, observe, report }
}

/** Books that can't be read once, under load, are no reason to end the run. */
function tryTo(read) {
  try {
    return read()
  } catch (error) {
    console.warn(error.message)
    return undefined
  }
}

/** One line of progress, in k6's log. */
export function say(startMs, text) {
  console.log(`${((Date.now() - startMs) / 1000).toFixed(1)} s  ${text}`)
}

function createPhaseMetrics(number) {
  return {
    offered: new Counter(`offered_${number}`),
    accepted: new Counter(`accepted_${number}`),
    answerMs: new Trend(`answer_ms_${number}`, true),
    settled: {
      default: new Counter(`settled_default_${number}`),
      fallback: new Counter(`settled_fallback_${number}`)
    },
    summaryMs: new Trend(`summary_ms_${number}`, true)
  }
}

function createBooksMetrics() {
  const totals = side =>
    Object.fromEntries(
      PROCESSOR_NAMES.map(name => [
        name,
        {
          requests: new Counter(`${side}_${name}_requests`),
          cents: new Counter(`${side}_${name}_cents`)
        }
      ])
    )
  return {
    accepted: new Counter('payments_accepted'),
    // Answered with 4xx: those must not be settled. What got 5xx or no answer may be.
    refused: new Counter('payments_refused'),
    // No part of k6 knows both what all users counted and what the books say; a counter that both add to does.
    // Accepted minus settled: above 0, accepted payments were never settled.
    owed: new Counter('payments_owed'),
    centsOwed: new Counter('cents_owed'),
    // Settled minus offered plus refused: above 0, more was settled than can have been accepted.
    beyond: new Counter('payments_beyond'),
    centsBeyond: new Counter('cents_beyond'),
    compared: new Counter('books_compared'),
    different: new Counter('books_different'),
    processors: totals('processors'),
    backend: totals('backend'),
    settledAfterMs: new Trend('settled_after_ms', true)
  }
}

/** Reads the books once nothing moves in them any more: what is settled late would count as this run's. */
function readStandingBooks() {
  const untilMs = Date.now() + 20_000
  let last = readBooks(askForBooks())
  while (Date.now() < untilMs) {
    sleep(1)
    const now = readBooks(askForBooks())
    if (JSON.stringify(now) === JSON.stringify(last)) return now
    last = now
  }
  throw new Error('payments are being settled although this run has not begun: stop what sends them, or wait')
}

function isRefusal({ status }) {
  return status > 0 && status < 500
}

function booksOf({ processors, backend }) {
  return JSON.stringify([processors, backend])
}

/** When the books first stood as they stand in the last reading. */
function timeOfLast(readings) {
  const final = booksOf(readings.at(-1))
  return readings.find(reading => booksOf(reading) === final).atMs
}
