// One rate against a running system: load, books, figures.
import { setTimeout as sleep } from 'node:timers/promises'
import { readBackend, requestsIn } from '../support/books.ts'
import { isAccepted, startLoad } from './load.ts'
import { machineCpuMicros, type Meter } from './meter.ts'
import { acceptingBetween, rateFigures, type Accepting, type Mark, type Snapshot } from './rate-figures.ts'
import { mapServices, type ByService, type RateResult } from './result.ts'
import { probesPerSecond, startProbes } from './settle-probes.ts'
import { checkBooks, purge, untilSettled } from './system-books.ts'
import type { System } from './system.ts'

/** The load runs for so long before the figures begin: connections are made, batches find their size. */
export const LEAD_SECONDS = 1
/** And a little longer than they go, so that the last moment is like the others. */
const TAIL_SECONDS = 0.5
const SAMPLE_EVERY_MS = 1_000
const MEMORY_EVERY_MS = 250

export type Rate = { ratePerSecond: number; seconds: number }

/** @throws BooksError; whatever else went wrong; the signal's reason when aborted */
export async function measureRate(tool: string, system: System, rate: Rate, signal: AbortSignal): Promise<RateResult> {
  const ending = new AbortController()
  try {
    return await measure(tool, system, rate, AbortSignal.any([signal, ending.signal]))
  } catch (error) {
    // A part that has ended explains whatever else went wrong.
    if (!signal.aborted) await system.assertAlive()
    throw error
  } finally {
    // Nothing of it goes on.
    ending.abort()
  }
}

async function measure(
  tool: string,
  system: System,
  { ratePerSecond, seconds }: Rate,
  signal: AbortSignal
): Promise<RateResult> {
  await purge(system)
  const probeRate = probesPerSecond(ratePerSecond)
  const load = startLoad(tool, system.url, ratePerSecond - probeRate, LEAD_SECONDS + seconds + TAIL_SECONDS, signal)
  await sleep(LEAD_SECONDS * 1_000, undefined, { signal })

  const begin = await snapshot(system, load.meter)
  const probes = startProbes(system.url, probeRate, signal)
  const endMemory = watchMemory(system, signal)
  const marks: Mark[] = []
  let end = begin
  while (end.atMs < begin.atMs + seconds * 1_000) {
    await sleep(Math.min(SAMPLE_EVERY_MS, begin.atMs + seconds * 1_000 - performance.now()), undefined, { signal })
    end = await snapshot(system, load.meter)
    marks.push({
      atMs: Math.round(end.atMs - begin.atMs),
      settled: end.settled - begin.settled,
      cpuMicros: mapServices(name => end.cpuMicros[name] - begin.cpuMicros[name])
    })
  }
  const memoryBytes = endMemory()

  const [requests, probed] = await Promise.all([load.requests, probes.end()])
  const accepted = requests.filter(isAccepted)
  const failedCount = requests.length - accepted.length + probed.failed
  await untilSettled(system, accepted.length + probed.accepted, signal)
  const cpuMicros = mapServices(name => system.services[name].cpuMicros() - begin.cpuMicros[name])
  await system.assertAlive()
  const settledCount = (await checkBooks(system, accepted.length + probed.accepted, failedCount)) - begin.settled

  return rateFigures({
    rate: ratePerSecond,
    begin,
    end,
    requests,
    ...probed,
    memoryBytes,
    failedCount,
    settledCount,
    cpuMicros,
    seconds: marks
  })
}

/** Accepting at a rate, and nothing else of it; the queue may still be full afterwards. */
export async function measureAccepting(
  tool: string,
  { url }: System,
  { ratePerSecond, seconds }: Rate,
  signal: AbortSignal
): Promise<{ accepting: Accepting; acceptedCount: number }> {
  const load = startLoad(tool, url, ratePerSecond, LEAD_SECONDS + seconds, signal)
  const begin = { wallMicros: (Date.now() + LEAD_SECONDS * 1_000) * 1_000 }
  const requests = await load.requests
  return {
    accepting: acceptingBetween(begin, { wallMicros: Infinity }, requests),
    acceptedCount: requests.filter(isAccepted).length
  }
}

/** Makes code warm and connections open; what it measures is of no use. */
export async function warmUp(
  tool: string,
  system: System,
  { ratePerSecond, seconds }: Rate,
  signal: AbortSignal
): Promise<void> {
  await purge(system)
  const requests = await startLoad(tool, system.url, ratePerSecond, seconds, signal).requests
  await untilSettled(system, requests.filter(isAccepted).length, signal)
}

/** How the system stands now. */
export async function snapshot(system: System, load: Meter): Promise<Snapshot> {
  const settled = requestsIn(await readBackend(system.url))
  return {
    atMs: performance.now(),
    wallMicros: Date.now() * 1_000,
    settled,
    cpuMicros: mapServices(name => system.services[name].cpuMicros()),
    throttledMicros: mapServices(name => system.services[name].throttledMicros()),
    modelMicros: system.models.map(model => model.cpuMicros()),
    loadMicros: load.cpuMicros() + ownCpuMicros(),
    machineMicros: machineCpuMicros()
  }
}

function ownCpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** The most that each service had at a time. */
function watchMemory({ services }: System, signal: AbortSignal): () => ByService {
  let peak = mapServices(() => 0)
  const sample = () => {
    try {
      peak = mapServices(name => Math.max(peak[name], services[name].memoryBytes()))
    } catch {
      /* a part has ended, which assertAlive tells */
    }
  }
  sample()
  const timer = setInterval(sample, MEMORY_EVERY_MS)
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  return () => {
    clearInterval(timer)
    sample()
    return peak
  }
}
