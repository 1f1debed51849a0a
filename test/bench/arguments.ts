import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export type Settings = {
  rates: number[]
  seconds: number
  runCount: number
  isCompose: boolean
  wantsJson: boolean
  comparePath: string | undefined
}

const RATE_MAX = 100_000

/** Undefined when help is wanted. @throws Error that says which argument is wrong */
export function readSettings(words: readonly string[]): Settings | undefined {
  const { values } = parseArgs({
    args: [...words],
    options: {
      rates: { type: 'string', default: '500,2000,5000,10000,20000' },
      seconds: { type: 'string', default: '20' },
      runs: { type: 'string', default: '1' },
      compose: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      compare: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false }
    }
  })
  if (values.help) return undefined
  // Fewer than two payments on each connection of the load tool are no schedule.
  const rates = values.rates.split(',').map(text => wholeNumber('--rates', text, 200, RATE_MAX))
  if (new Set(rates).size < rates.length) throw new Error('--rates has a rate twice')
  return {
    rates,
    seconds: wholeNumber('--seconds', values.seconds, 1, 600),
    runCount: wholeNumber('--runs', values.runs, 1, 99),
    isCompose: values.compose,
    wantsJson: values.json,
    comparePath: values.compare === undefined ? undefined : resolve(values.compare)
  }
}

/** @throws Error that names the argument */
export function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN
  if (value >= min && value <= max) return value
  throw new Error(`${name} wants whole numbers from ${min} to ${max}, not "${text}"`)
}
