import { count, money } from '../numbers.ts'
import type { Result } from './score.ts'

/** The result as lines of a table for a terminal. */
export function renderScore(result: Result): string {
  const rows: [string, string][] = [
    ['payments asked', count(result.asked)],
    ['  accepted', count(result.accepted)],
    ['  failed requests', count(result.failedRequests)],
    ['settled at default', settled(result.settledDefault, result.amountDefault, result.feesDefault)],
    ['settled at fallback', settled(result.settledFallback, result.amountFallback, result.feesFallback)],
    ['accepted, not settled', count(result.lag)],
    ['books compared', `${count(result.checks)}  ${describeChecks(result)}`],
    ['p99 of all requests', result.p99Ms === null ? 'no requests' : `${result.p99Ms.toFixed(2)} ms`],
    ['profit', `${money(result.profit)}  of ${money(result.idealProfit)} that were possible`],
    [`bonus, ${result.bonusPercent} %`, money(result.bonus)],
    ['fine', money(result.fine)],
    ['TOTAL', result.disqualified ? 'DISQUALIFIED: more was settled than asked for' : money(result.total)]
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n')
}

function settled(requests: number, amount: number, fees: number): string {
  return `${count(requests)}  for ${money(amount)}, fees ${money(fees)}`
}

function describeChecks({ inconsistencies, checksUnanswered }: Result): string {
  const found = inconsistencies === 0 ? 'no inconsistency' : `${inconsistencies} INCONSISTENT`
  return checksUnanswered === 0 ? found : `${found}, ${checksUnanswered} without an answer of a processor`
}
