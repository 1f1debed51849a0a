// What a run of load.js found, as text. Run by k6, so nothing of Node is used here.
import { renderTable } from '../../../shared/table.ts'
import { PROCESSOR_NAMES } from '../../../shared/payment.ts'
import { centsIn, differences, requestsIn, type Books } from '../../support/books.ts'
import { count, money } from '../../support/numbers.ts'

export type Row = {
  name: string
  /** Payments a second that were meant to be offered. */
  rate: number
  /** Sent to the backend. */
  offered: number
  /** Not sent, because k6 had no free user. */
  dropped: number
  /** Answered with 2xx. */
  accepted: number
  /** Of the answers; undefined when there was none. */
  p50Ms: number | undefined
  p99Ms: number | undefined
  maxMs: number | undefined
  /** In the processors' books at the end of the phase, since the start of the run; undefined when it did not end. */
  settled: { default: number; fallback: number } | undefined
  /** How long the backend took for its summary at the end of the phase. */
  summaryMs: number | undefined
}

/** What thresholds are on; load.js says what owed and beyond are. */
export type Verdict = {
  wasCompared: boolean
  accepted: number
  owed: number
  centsOwed: number
  beyond: number
  centsBeyond: number
  /** Since the start of the run. */
  processors: Books
  backend: Books
}

export type Report = Verdict & {
  title: string
  rows: Row[]
  remarks: string[]
  /** From the end of the load until the books stood as they stand now; undefined when they were not compared. */
  settledAfterMs: number | undefined
  /** Answered with 4xx. */
  refused: number
}

export function renderLoad(report: Report): string {
  const remarks = [...failures(report), ...drops(report), ...report.remarks, ...settlement(report)]
  return [
    [report.title],
    indented(renderTable(HEADER, cells(report.rows)).split('\n')),
    indented(remarks),
    indented(verdict(report))
  ]
    .filter(lines => lines.length > 0)
    .map(lines => lines.join('\n'))
    .join('\n\n')
}

const HEADER = [
  '',
  'rate/s',
  'offered',
  'dropped',
  'accepted',
  'failed',
  'p50 ms',
  'p99 ms',
  'max ms',
  'default',
  'fallback',
  'unsettled',
  'summary ms'
]

function cells(rows: Row[]): string[][] {
  let acceptedSoFar = 0
  let before = { default: 0, fallback: 0 }
  return rows.map(row => {
    const { settled } = row
    acceptedSoFar += row.accepted
    const books =
      settled === undefined
        ? ['-', '-', '-']
        : [
            count(settled.default - before.default),
            count(settled.fallback - before.fallback),
            // A payment may be settled before its answer is counted.
            count(Math.max(0, acceptedSoFar - settled.default - settled.fallback))
          ]
    before = settled ?? before
    return [
      row.name,
      count(row.rate),
      count(row.offered),
      count(row.dropped),
      count(row.accepted),
      count(row.offered - row.accepted),
      ms(row.p50Ms),
      ms(row.p99Ms),
      ms(row.maxMs),
      ...books,
      ms(row.summaryMs)
    ]
  })
}

function failures({ rows, accepted, refused }: Report): string[] {
  const failed = sum(rows, row => row.offered) - accepted
  if (failed === 0) return []
  return [
    `FAILED: ${count(failed)} payments, of them ${count(refused)} refused with a 4xx; the other ` +
      `${count(failed - refused)} got a 5xx or no answer`,
    'and may be settled all the same.'
  ]
}

function drops({ rows }: Report): string[] {
  const dropped = sum(rows, row => row.dropped)
  if (dropped === 0) return []
  return [
    `DROPPED: ${count(dropped)} payments were never offered, because all of k6's users waited for an answer:`,
    'the load was lower than it says. More users: -e VUS=…'
  ]
}

function settlement({ processors, settledAfterMs }: Report): string[] {
  if (settledAfterMs === undefined) return []
  const width = Math.max(...PROCESSOR_NAMES.map(name => count(processors[name].requests).length))
  const lines = PROCESSOR_NAMES.map(name => {
    const { requests, cents } = processors[name]
    return `settled at ${name.padEnd(8)}  ${count(requests).padStart(width)} for ${money(cents / 100)}`
  })
  return [...lines, `The last one was settled ${(settledAfterMs / 1000).toFixed(1)} s after the load ended.`]
}

/** Whether the books are right; each objection goes with a threshold in load.js. */
export function verdict(given: Verdict): string[] {
  if (!given.wasCompared) return ['BOOKS NOT COMPARED: the run ended early.']
  const objections = differences(given.processors, given.backend)
  if (given.owed > 0) objections.push(`${count(given.owed)} accepted payments were never settled`)
  if (given.beyond > 0) objections.push(`${count(given.beyond)} payments more were settled than were accepted`)
  // Where the number of payments is right, the money may still be wrong.
  if (given.owed <= 0 && given.centsOwed > 0) {
    objections.push(`the accepted payments are worth ${money(given.centsOwed / 100)} more than the settled ones`)
  }
  if (given.beyond <= 0 && given.centsBeyond > 0) {
    objections.push(`the settled payments are worth ${money(given.centsBeyond / 100)} more than the accepted ones`)
  }
  if (objections.length > 0) return ['BOOKS WRONG:', ...objections.map(text => `  ${text}`)]
  if (given.accepted === 0) return ['NOTHING ACCEPTED: the books are equal, but that proves nothing.']
  const [settled, amount] = [requestsIn(given.processors), money(centsIn(given.processors) / 100)]
  const equal =
    `BOOKS EQUAL to the cent: ${count(given.accepted)} payments accepted, ${count(settled)} settled for ` +
    `${amount}, and the backend says the same.`
  // Below 0 only when payments had no definite answer: otherwise beyond is what owed is, with the sign changed.
  if (given.owed === 0) return [equal]
  return [equal, `Among the settled are ${count(-given.owed)} of the failed payments that got no definite answer.`]
}

function indented(lines: string[]): string[] {
  return lines.map(line => `  ${line}`)
}

function ms(value: number | undefined): string {
  return value === undefined ? '-' : value.toFixed(2)
}

function sum(rows: Row[], figure: (row: Row) => number): number {
  return rows.reduce((total, row) => total + figure(row), 0)
}
