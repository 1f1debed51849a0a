import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { wholeNumber } from '../arguments.ts'

export type ScalingSettings = {
  workerCounts: number[]
  gatewayCounts: number[]
  rateMax: number
  seconds: number
  plotPath: string | undefined
  wantsJson: boolean
}

/** Undefined when help is wanted. @throws Error that says which argument is wrong */
export function readScalingSettings(words: readonly string[]): ScalingSettings | undefined {
  const { values } = parseArgs({
    args: [...words],
    options: {
      workers: { type: 'string', default: '1,2,4' },
      gateways: { type: 'string', default: '2,4' },
      'rate-max': { type: 'string', default: '50000' },
      seconds: { type: 'string', default: '5' },
      plot: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false }
    }
  })
  if (values.help) return undefined
  const counts = (name: string, text: string, max: number) =>
    text.split(',').map(each => wholeNumber(name, each, 1, max))
  return {
    workerCounts: counts('--workers', values.workers, 16),
    // As many as haproxy.cfg has lines for.
    gatewayCounts: counts('--gateways', values.gateways, 4),
    rateMax: wholeNumber('--rate-max', values['rate-max'], 200, 100_000),
    seconds: wholeNumber('--seconds', values.seconds, 1, 600),
    plotPath: values.plot === undefined ? undefined : resolve(values.plot),
    wantsJson: values.json
  }
}
