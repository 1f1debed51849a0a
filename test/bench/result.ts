// What one run of the benchmark found: one line of JSON in .results/bench.jsonl.
import { median } from '../support/statistics.ts'

export const SERVICES = ['haproxy', 'gateways', 'redis', 'worker', 'monitor'] as const
export type Service = (typeof SERVICES)[number]
export type ByService = Record<Service, number>

export type RateResult = {
  /** Payments a second that were asked of the load tool. */
  rate: number
  /** Sent, whenever they were due; the sample that is asked about is among them. */
  offeredPerSecond: number
  acceptedPerSecond: number
  settledPerSecond: number
  /** Requests without a 2xx. */
  failedRequests: number
  /** From when a request was due until its answer. */
  acceptP50Ms: number
  acceptP99Ms: number
  acceptP999Ms: number
  /**
   * The part of that which the load tool is to blame for: how late it sent a request that was due on a free connection.
   */
  loadLagP99Ms: number
  /** From the 202 until GET /payments/{id} says settled; to 2 ms or 5 %. */
  settleP50Ms: number
  settleP99Ms: number
  /** Accepted, not settled when the time was over. */
  backlog: number
  cpuMicrosPerPayment: number
  cpuMicrosByService: ByService
  /** The share of the time in which a CPU limit held the service back; of both gateways together it can be above 1. */
  throttledByService: ByService
  memoryMegabytes: number
  memoryMegabytesByService: ByService
  /**
   * Cores in use while the load ran; `load` is the load tool and this program, `other` is whatever else the machine
   * did.
   */
  cores: { services: number; models: number; busiestModel: number; load: number; other: number }
  samples: {
    /** Of accepting: [upper bound in µs, how many], each 1 % wide. */
    acceptMicros: [number, number][]
    settleMs: number[]
    /** About once a second: time since the start, settled payments, CPU of each service, both since the start. */
    seconds: { atMs: number; settled: number; cpuMicros: ByService }[]
  }
}

/** What the least pipeline of the same shape costs at a rate; bare/pipeline.ts says how it is measured. */
export type BareRate = { rate: number; microsByService: ByService }

export type RunResult = {
  at: string
  commit: string
  machine: string
  mode: 'local' | 'compose'
  /** What the services ran on, e.g. the container engine. */
  platform: string
  seconds: number
  /** One for each of the rates. */
  barePipeline: BareRate[]
  rates: RateResult[]
}

/** One line, numbers to a thousandth. */
export function serialise(run: object): string {
  return JSON.stringify(run, (_name, value: unknown) => (typeof value === 'number' ? Number(value.toFixed(3)) : value))
}

/** How many times what a bare pipeline takes at the same rate; NaN where none was measured. */
export function timesBare({ rate, cpuMicrosPerPayment }: RateResult, { barePipeline }: RunResult): number {
  const bare = barePipeline.find(each => each.rate === rate)
  return bare === undefined ? NaN : cpuMicrosPerPayment / totalOf(bare.microsByService)
}

export function totalOf(values: ByService): number {
  return SERVICES.reduce((total, service) => total + values[service], 0)
}

export function mapServices<T = number>(of: (service: Service) => T): Record<Service, T> {
  return Object.fromEntries(SERVICES.map(service => [service, of(service)])) as Record<Service, T>
}

/** The medians of several runs over the same rates, figure by figure; the samples are those of the first. */
export function medianRun(runs: readonly [RunResult, ...RunResult[]]): RunResult {
  return medianOf(runs) as RunResult
}

function medianOf(values: readonly unknown[]): unknown {
  const [first] = values
  if (typeof first === 'number') return median(values as number[])
  if (Array.isArray(first)) return first.map((_, index) => medianOf(values.map(value => (value as unknown[])[index])))
  if (typeof first !== 'object' || first === null) return first
  return Object.fromEntries(
    Object.keys(first).map(name => {
      const each = values.map(value => (value as Record<string, unknown>)[name])
      return [name, name === 'samples' ? each[0] : medianOf(each)]
    })
  )
}
