// From what was observed at one rate to its figures. Pure.
import { isAccepted, type Sent } from './load.ts'
import { mapServices, totalOf, type ByService, type RateResult } from './result.ts'
import { ascending, histogram, quantile, sum } from '../support/statistics.ts'

/** How everything stood at one moment. */
export type Snapshot = {
  /** By a clock that only goes on. */
  atMs: number
  wallMicros: number
  settled: number
  cpuMicros: ByService
  throttledMicros: ByService
  modelMicros: readonly number[]
  loadMicros: number
  machineMicros: number
}

type Moment = Pick<Snapshot, 'wallMicros'>

export type Mark = RateResult['samples']['seconds'][number]

export type Observation = {
  rate: number
  begin: Snapshot
  end: Snapshot
  requests: readonly Sent[]
  /** Of the sample that was asked about. */
  accepted: number
  failed: number
  settleMs: readonly number[]
  memoryBytes: ByService
  /** All that failed, those of the sample included. */
  failedCount: number
  /** From the begin until all was settled: the payments, and the CPU time they took. */
  settledCount: number
  cpuMicros: ByService
  seconds: Mark[]
}

export function rateFigures(observed: Observation): RateResult {
  const { begin, end, requests } = observed
  const elapsedSeconds = (end.atMs - begin.atMs) / 1_000
  const isWithin = (micros: number) => micros >= begin.wallMicros && micros < end.wallMicros
  const perSecond = (count: number) => count / elapsedSeconds
  const cores = (micros: number) => micros / 1e6 / elapsedSeconds

  const { acceptMicros, lagMicros } = latenciesBetween(begin, end, requests)
  const settleMs = ascending(observed.settleMs)
  const accepted = requests.filter(isAccepted)
  const acceptedBeforeEnd =
    accepted.filter(({ answeredMicros }) => answeredMicros < end.wallMicros).length + observed.accepted
  const cpuMicrosByService = mapServices(name => observed.cpuMicros[name] / observed.settledCount)
  const memoryMegabytesByService = mapServices(name => observed.memoryBytes[name] / 2 ** 20)
  return {
    rate: observed.rate,
    offeredPerSecond: perSecond(
      requests.filter(({ sentMicros }) => isWithin(sentMicros)).length + observed.accepted + observed.failed
    ),
    acceptedPerSecond: perSecond(
      accepted.filter(({ answeredMicros }) => isWithin(answeredMicros)).length + observed.accepted
    ),
    settledPerSecond: perSecond(end.settled - begin.settled),
    failedRequests: observed.failedCount,
    acceptP50Ms: quantile(acceptMicros, 0.5) / 1_000,
    acceptP99Ms: quantile(acceptMicros, 0.99) / 1_000,
    acceptP999Ms: quantile(acceptMicros, 0.999) / 1_000,
    loadLagP99Ms: quantile(lagMicros, 0.99) / 1_000,
    settleP50Ms: quantile(settleMs, 0.5),
    settleP99Ms: quantile(settleMs, 0.99),
    backlog: Math.max(0, acceptedBeforeEnd - end.settled),
    cpuMicrosPerPayment: totalOf(cpuMicrosByService),
    cpuMicrosByService,
    throttledByService: mapServices(name => cores(end.throttledMicros[name] - begin.throttledMicros[name])),
    memoryMegabytes: totalOf(memoryMegabytesByService),
    memoryMegabytesByService,
    cores: coresBetween(begin, end),
    samples: { acceptMicros: histogram(acceptMicros), settleMs, seconds: observed.seconds }
  }
}

export type Accepting = {
  /** Requests that were due in the time. */
  requests: number
  failed: number
  /** From when a request was due until its answer. */
  p50Ms: number
  p99Ms: number
  maxMs: number
  /** The load tool's own part of it: how late it sent a request that was due on a free connection. */
  loadLagP99Ms: number
}

/** How long accepting took between two moments. */
export function acceptingBetween(begin: Moment, end: Moment, requests: readonly Sent[]): Accepting {
  const { acceptMicros, lagMicros } = latenciesBetween(begin, end, requests)
  const ms = (share: number) => quantile(acceptMicros, share) / 1_000
  return {
    requests: acceptMicros.length,
    failed: requests.filter(request => !isAccepted(request)).length,
    p50Ms: ms(0.5),
    p99Ms: ms(0.99),
    maxMs: ms(1),
    loadLagP99Ms: quantile(lagMicros, 0.99) / 1_000
  }
}

/**
 * Of the requests that were due between two moments, ascending, in µs: from when each was due, and how late the load
 * tool was by itself.
 */
function latenciesBetween(begin: Moment, end: Moment, requests: readonly Sent[]) {
  const due = requests.filter(({ dueMicros }) => dueMicros >= begin.wallMicros && dueMicros < end.wallMicros)
  return {
    acceptMicros: ascending(due.map(({ dueMicros, answeredMicros }) => answeredMicros - dueMicros)),
    lagMicros: ascending(due.map(({ lagMicros }) => lagMicros))
  }
}

/** Cores in use between two moments. */
export function coresBetween(begin: Snapshot, end: Snapshot): RateResult['cores'] {
  const cores = (micros: number) => micros / 1_000 / (end.atMs - begin.atMs)
  const models = end.modelMicros.map((micros, index) => cores(micros - (begin.modelMicros[index] ?? 0)))
  const used = {
    services: cores(totalOf(end.cpuMicros) - totalOf(begin.cpuMicros)),
    models: sum(models),
    busiestModel: Math.max(...models),
    load: cores(end.loadMicros - begin.loadMicros)
  }
  return { ...used, other: cores(end.machineMicros - begin.machineMicros) - used.services - used.models - used.load }
}
