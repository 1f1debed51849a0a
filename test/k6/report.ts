import type { Result } from './score.ts'

/** The result as lines of a table for a terminal. */
export function renderTable(result: Result): string {
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

/** 316696.6 as "316,696.60"; by hand, because k6's JavaScript engine has no Intl. */
export function money(amount: number): string {
  const [whole = '', fraction = ''] = amount.toFixed(2).split('.')
  return `${grouped(whole)}.${fraction}`
}

/** 16692 as "16,692". */
export function count(value: number): string {
  return grouped(String(value))
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ',')
}
