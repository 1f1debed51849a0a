// What follows from what was measured: the next rate to try, which process has a whole core first, what a rate needs.
// Pure.
import { sum } from '../../support/statistics.ts'
import { mapServices, type ByService, type RateResult } from '../result.ts'

/** What one command found: one line of JSON in .results/scaling.jsonl, with its provenance. */
export type ScalingFigures = { seconds: number; setups: Setup[]; sizing: SizingSample[] }

/** So many workers and gateways at the highest rate at which the queue did not grow. */
export type Setup = {
  workers: number
  gateways: number
  highest: RateResult
  /** µs of CPU a payment of each process, by its name. */
  microsByProcess: Record<string, number>
  /** What the machine limits, in sentences. */
  limits: string[]
}

/** What is needed at a rate, by the setup with the fewest processes. */
export type SizingSample = {
  /** The rate it is for, and the one that it was measured at. */
  rate: number
  measuredAt: number
  figures: RateResult
  /** What the totals in Redis grew by. */
  totalsBytesPerSecond: number
}

export type Trial = { rate: number; isSustained: boolean }

const FIRST_RATE = 2_000
const RATE_MIN = 200
/** Near enough: what two runs at one rate differ by. */
const CLOSE = 0.1
const STEP = 50

/**
 * The next rate to try: twice what went well, half of what did not, then between the two. Undefined when it is known
 * well enough.
 */
export function nextRate(trials: readonly Trial[], rateMax: number): number | undefined {
  const rates = (isSustained: boolean) =>
    trials.filter(trial => trial.isSustained === isSustained).map(({ rate }) => rate)
  const [low, high] = [Math.max(0, ...rates(true)), Math.min(Infinity, ...rates(false))]
  if (trials.length === 0) return Math.min(FIRST_RATE, rateMax)
  if (high === Infinity) return low >= rateMax ? undefined : Math.min(low * 2, rateMax)
  if (low === 0) return high <= RATE_MIN ? undefined : Math.max(RATE_MIN, Math.floor(high / 2))
  return high <= low * (1 + CLOSE) + STEP ? undefined : Math.round((low + high) / 2 / STEP) * STEP
}

export const PARTS = ['haproxy', 'gateway', 'redis', 'worker'] as const
export type Part = (typeof PARTS)[number]

const CORE_MICROS = 1e6

/**
 * Payments a second at which the busiest process of a part would have a whole core, if each payment costs as much as it
 * did when it was measured. All of them do their work in one thread.
 */
export function wholeCoreRate({ microsByProcess }: Pick<Setup, 'microsByProcess'>, part: Part): number {
  const micros = Object.entries(microsByProcess)
    .filter(([name]) => name.replace(/-\d+$/, '') === part)
    .map(([, each]) => each)
  return CORE_MICROS / Math.max(...micros)
}

export function saturatesFirst(setup: Pick<Setup, 'microsByProcess'>): Part {
  const rates = PARTS.map(part => wholeCoreRate(setup, part))
  return PARTS[rates.indexOf(Math.min(...rates))] ?? 'redis'
}

/** Beyond that a process has no room for a busy moment. */
const BUSY_MAX = 0.7
const DAY_SECONDS = 86_400
const MEGABYTE = 2 ** 20

/**
 * A record of an id takes so much while the hashes of a period are packed, up to so many ids, and so much beyond:
 * redis-memory.ts, and redis-memory.ts 3000000.
 */
const ID_BYTES = { packed: 63, packedMax: 2_000_000, unpacked: 108 }

export type Need = {
  rate: number
  measuredAt: number
  paymentsPerDay: number
  coresByService: ByService
  cores: number
  /** Processes of one thread each. */
  gateways: number
  workers: number
  /** Of all processes, without what Redis holds of settled payments. */
  megabytes: number
  /** What Redis holds of ids at most: those of two periods of ID_RETENTION_HOURS, 24 by default. */
  idMegabytes: number
  /** What the totals grow by in a day. */
  totalsMegabytesPerDay: number
}

/** @param counts of the setup that was measured */
export function needOf(
  { rate, measuredAt, figures, totalsBytesPerSecond }: SizingSample,
  counts: { workers: number; gateways: number }
): Need {
  const { cpuMicrosByService: micros, memoryMegabytesByService: memory } = figures
  const coresByService = mapServices(service => (micros[service] * rate) / 1e6)
  const gateways = Math.max(2, Math.ceil(coresByService.gateways / BUSY_MAX))
  const workers = Math.max(1, Math.ceil(coresByService.worker / BUSY_MAX))
  const idBytes = rate * DAY_SECONDS > ID_BYTES.packedMax ? ID_BYTES.unpacked : ID_BYTES.packed
  return {
    rate,
    measuredAt,
    gateways,
    workers,
    coresByService,
    paymentsPerDay: rate * DAY_SECONDS,
    cores: sum(Object.values(coresByService)),
    megabytes:
      memory.haproxy +
      memory.redis +
      memory.monitor +
      (memory.gateways / counts.gateways) * gateways +
      (memory.worker / counts.workers) * workers,
    idMegabytes: (rate * DAY_SECONDS * 2 * idBytes) / MEGABYTE,
    totalsMegabytesPerDay: (totalsBytesPerSecond * DAY_SECONDS) / MEGABYTE
  }
}
