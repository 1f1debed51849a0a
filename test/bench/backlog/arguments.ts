import { parseArgs } from 'node:util'
import { wholeNumber } from '../arguments.ts'

export type BacklogSettings = {
  paymentCount: number
  ratePerSecond: number
  seconds: number
  runCount: number
  restartsRedis: boolean
  wantsJson: boolean
}

/** Below MAX_QUEUED_PAYMENTS, so that there is room for those that arrive. */
const PAYMENTS_MAX = 1_900_000

/** Undefined when help is wanted. @throws Error that says which argument is wrong */
export function readBacklogSettings(words: readonly string[]): BacklogSettings | undefined {
  const { values } = parseArgs({
    args: [...words],
    options: {
      payments: { type: 'string', default: '100000' },
      rate: { type: 'string', default: '500' },
      seconds: { type: 'string', default: '15' },
      runs: { type: 'string', default: '3' },
      restart: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false }
    }
  })
  if (values.help) return undefined
  return {
    paymentCount: wholeNumber('--payments', values.payments, 1_000, PAYMENTS_MAX),
    ratePerSecond: wholeNumber('--rate', values.rate, 200, 5_000),
    seconds: wholeNumber('--seconds', values.seconds, 1, 600),
    runCount: wholeNumber('--runs', values.runs, 1, 99),
    restartsRedis: values.restart,
    wantsJson: values.json
  }
}
