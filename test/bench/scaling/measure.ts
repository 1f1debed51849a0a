// Each number of workers with each number of gateways: the highest rate at which the queue does not grow, and what a
// payment costs whom there.
import { availableParallelism } from 'node:os'
import { readBackend, requestsIn } from '../../support/books.ts'
import { say } from '../../support/command.ts'
import { sum } from '../../support/statistics.ts'
import type { Tools } from '../command.ts'
import { measureRate, warmUp } from '../measure-rate.ts'
import { processMeter } from '../meter.ts'
import { deleteHashes } from '../redis-figures.ts'
import type { RateResult } from '../result.ts'
import { describeLimits, isSustained } from '../saturation.ts'
import { startLocalSystem, type LocalSystem } from '../system.ts'
import { nextRate, type ScalingFigures, type Setup, type SizingSample, type Trial } from './conclusions.ts'

const SIZING_RATES = [1_000, 10_000, 100_000]
/** Than a trial of a rate. */
const SIZING_LONGER = 3
const WARM_UP = { ratePerSecond: 2_000, seconds: 3 }

export type ScalingSettings = {
  workerCounts: number[]
  gatewayCounts: number[]
  /** No higher rate is tried. */
  rateMax: number
  seconds: number
}

type Bench = Tools & { system: LocalSystem; settings: ScalingSettings }

/** @throws BooksError; whatever else went wrong; the signal's reason when aborted */
export async function measureScaling(settings: ScalingSettings, tools: Tools): Promise<ScalingFigures> {
  const { workerCounts, gatewayCounts, seconds } = settings
  const setups: Setup[] = []
  const sizing: SizingSample[] = []
  for (const gateways of gatewayCounts) {
    for (const workers of workerCounts) {
      say(`${workers} ${workers === 1 ? 'worker' : 'workers'}, ${gateways} gateways`)
      const system = await startLocalSystem(tools.signal, { gateways, workers })
      try {
        const bench = { ...tools, system, settings }
        await warmUp(tools.tool, system, WARM_UP, tools.signal)
        const setup = { workers, gateways, ...(await findHighest(bench)) }
        setups.push(setup)
        if (sizing.length === 0) sizing.push(...(await sample(bench, setup.highest)))
      } finally {
        await system.stop()
      }
    }
  }
  return { seconds, setups, sizing }
}

async function findHighest(bench: Bench): Promise<Omit<Setup, 'workers' | 'gateways'>> {
  const trials: Trial[] = []
  let found: Omit<Setup, 'workers' | 'gateways'> | undefined
  let above: RateResult | undefined
  for (
    let rate = nextRate(trials, bench.settings.rateMax);
    rate !== undefined;
    rate = nextRate(trials, bench.settings.rateMax)
  ) {
    const { result, microsByProcess } = await measureProcesses(bench, rate)
    const trial = { rate, isSustained: isSustained(result) }
    trials.push(trial)
    say(
      `  ${rate}/s: ${result.settledPerSecond.toFixed(0)} settled/s, ${result.cpuMicrosPerPayment.toFixed(1)} µs a payment${trial.isSustained ? '' : ', too much'}`
    )
    if (!trial.isSustained) above = above === undefined || rate < above.rate ? result : above
    else if (found === undefined || rate > found.highest.rate) found = { highest: result, microsByProcess, limits: [] }
  }
  if (found === undefined) throw new Error('the queue grew at every rate: the machine has no time for it')
  // What was in the way is seen at the lowest rate that was too high.
  return { ...found, limits: describeLimits(above ?? found.highest, availableParallelism()) }
}

/** The CPU of each process in its share of its service: while the load ran and the rest of the queue drained. */
async function measureProcesses(
  { system, settings: { seconds }, tool, signal }: Bench,
  rate: number
): Promise<Pick<Setup, 'microsByProcess'> & { result: RateResult }> {
  const services = { haproxy: 'haproxy', gateway: 'gateways', redis: 'redis', worker: 'worker' } as const
  const read = () =>
    [...system.stack.parts.values()].flatMap(({ name, pid }) => {
      const part = name.replace(/-\d+$/, '')
      return part in services && pid !== undefined
        ? [{ name, service: services[part as keyof typeof services], micros: processMeter(pid).cpuMicros() }]
        : []
    })
  const before = read()
  const result = await measureRate(tool, system, { ratePerSecond: rate, seconds }, signal)
  const used = read().map((each, index) => ({ ...each, micros: each.micros - (before[index]?.micros ?? 0) }))
  const microsByProcess = Object.fromEntries(
    used.map(({ name, service, micros }) => {
      const all = sum(used.filter(each => each.service === service).map(each => each.micros))
      return [name, (result.cpuMicrosByService[service] * micros) / all]
    })
  )
  return { result, microsByProcess }
}

/**
 * What is needed at the rates of the sizing table: measured there, or at the highest rate that this machine carries.
 */
async function sample(bench: Bench, highest: RateResult): Promise<SizingSample[]> {
  const {
    system,
    settings: { seconds },
    tool,
    signal
  } = bench
  const samples: SizingSample[] = []
  for (const rate of SIZING_RATES) {
    const measuredAt = Math.min(rate, highest.rate)
    const last = samples.at(-1)
    if (last?.measuredAt === measuredAt) {
      samples.push({ ...last, rate })
      continue
    }
    const rateAndTime = { ratePerSecond: measuredAt, seconds: seconds * SIZING_LONGER }
    const figures = await measureRate(tool, system, rateAndTime, signal)
    const payments = requestsIn(await readBackend(system.url))
    const { bytes } = await deleteHashes(system.redis, system.keys.totalsPattern)
    samples.push({ rate, measuredAt, figures, totalsBytesPerSecond: (bytes / payments) * measuredAt })
    say(`  for the sizing, at ${measuredAt}/s: ${figures.cpuMicrosPerPayment.toFixed(1)} µs a payment`)
  }
  return samples
}
