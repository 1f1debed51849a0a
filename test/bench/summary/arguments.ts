import { parseArgs } from 'node:util'
import { wholeNumber } from '../arguments.ts'

export type SummarySettings = {
  paymentCount: number
  ratePerSecond: number
  seconds: number
  runCount: number
  wantsJson: boolean
}

/** Undefined when help is wanted. @throws Error that says which argument is wrong */
export function readSummarySettings(words: readonly string[]): SummarySettings | undefined {
  const { values } = parseArgs({
    args: [...words],
    options: {
      payments: { type: 'string', default: '10000000' },
      rate: { type: 'string', default: '500' },
      seconds: { type: 'string', default: '20' },
      runs: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false }
    }
  })
  if (values.help) return undefined
  return {
    paymentCount: wholeNumber('--payments', values.payments, 3_000, 20_000_000),
    ratePerSecond: wholeNumber('--rate', values.rate, 200, 5_000),
    seconds: wholeNumber('--seconds', values.seconds, 1, 600),
    runCount: wholeNumber('--runs', values.runs, 1, 99),
    wantsJson: values.json
  }
}
