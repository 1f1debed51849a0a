// Accepting with and without a backlog that drains, by turns, and what the backlog itself costs.
import { setTimeout as sleep } from 'node:timers/promises'
import { readBackend } from '../../k6/books.ts'
import { ProcessorAdmin } from '../../support/processor/admin-client.ts'
import { newPayments } from '../../support/payments.ts'
import { acceptingBetween, type Accepting } from '../accepting.ts'
import type { Tools } from '../command.ts'
import { isAccepted, startLoad } from '../load.ts'
import { startLocalSystem, type LocalSystem } from '../local-system.ts'
import { snapshot, warmUp } from '../measure-rate.ts'
import { openPipelineRedis, type PipelineRedis } from '../pipeline-redis.ts'
import { coresBetween } from '../rate-figures.ts'
import { watchRedisPeak } from '../redis-peak.ts'
import { mapServices } from '../result.ts'
import { BooksError, checkBooks, purge, untilEnough, untilSettled } from '../system-books.ts'
import type { BacklogSettings } from './arguments.ts'
import type { BacklogFigures, Drain, Restart } from './result.ts'

/** The load runs for so long before the figures begin. */
const LEAD_SECONDS = 1
const WARM_UP = { ratePerSecond: 2_000, seconds: 3 }
/** As the gateways under load, and some calls under way at once. */
const FILL_BATCH = 250
const FILL_CALLS = 4
/** The load ends with the backlog, and at the latest after this time. */
const DRAIN_SECONDS_MAX = 1_200
/** Arrivals of so long are no backlog: they wait for no more than the next batch. */
const PASSING_SECONDS = 0.1
const SAMPLE_EVERY_MS = 1_000
const STOP_GRACE_MS = 60_000

type Bench = Tools & { system: LocalSystem; settings: BacklogSettings }

/** @throws BooksError; whatever else went wrong; the signal's reason when aborted */
export async function measureBacklog(settings: BacklogSettings, tools: Tools): Promise<BacklogFigures> {
  const { paymentCount: payments, ratePerSecond: rate, seconds, runCount } = settings
  tools.say('starting the whole system')
  const system = await startLocalSystem(tools.signal)
  try {
    const bench = { ...tools, system, settings }
    await warmUp(tools.tool, system, WARM_UP, tools.signal)
    const rounds: BacklogFigures['rounds'] = []
    for (let number = 1; number <= runCount; number += 1) {
      tools.say(`round ${number} of ${runCount}`)
      rounds.push({ idle: await measureIdle(bench), drain: await measureDrain(bench) })
    }
    return { payments, rate, seconds, rounds }
  } finally {
    await system.stop()
  }
}

async function measureIdle({
  system,
  settings: { ratePerSecond, seconds },
  tool,
  signal,
  say
}: Bench): Promise<Accepting> {
  await purge(system)
  const load = startLoad(tool, system.url, ratePerSecond, LEAD_SECONDS + seconds, signal)
  const begin = { wallMicros: (Date.now() + LEAD_SECONDS * 1_000) * 1_000 }
  const requests = await load.requests
  const acceptedCount = requests.filter(isAccepted).length
  await untilSettled(system, acceptedCount, signal)
  await checkBooks(system, acceptedCount, requests.length - acceptedCount)
  const accepting = acceptingBetween(begin, { wallMicros: Infinity }, requests)
  say(`  no backlog: accept p50 ${accepting.p50Ms.toFixed(2)} ms, p99 ${accepting.p99Ms.toFixed(2)} ms`)
  return accepting
}

async function measureDrain(bench: Bench): Promise<Drain> {
  const {
    system,
    settings: { paymentCount, ratePerSecond, restartsRedis },
    tool,
    signal,
    say
  } = bench
  await purge(system)
  await setFailing(system, true)
  const pipeline = await openPipelineRedis(system.stack.redisPath)
  try {
    const filled = await fill(bench, pipeline)
    say(
      `  ${paymentCount} payments queued at ${filled.filledPerSecond.toFixed(0)}/s, ${filled.bytesPerQueued.toFixed(1)} bytes each`
    )
    const restarts: Restart[] = []
    if (restartsRedis) {
      for (const name of ['SIGTERM', 'SIGKILL'] as const) restarts.push(await restart(bench, pipeline, name))
    }

    const load = startLoad(tool, system.url, ratePerSecond, DRAIN_SECONDS_MAX, signal)
    await sleep(LEAD_SECONDS * 1_000, undefined, { signal })
    const endPeak = await watchRedisPeak(pipeline, system.services.redis)
    const begin = await snapshot(system, load.meter)
    await setFailing(system, false)
    const samples: Drain['samples'] = []
    const passing = Math.floor(ratePerSecond * PASSING_SECONDS)
    let last = begin
    await untilEnough(
      -passing,
      async () => {
        const queued = await pipeline.queueLength()
        if (samples.length === 0 || performance.now() - last.atMs >= SAMPLE_EVERY_MS) {
          const now = await snapshot(system, load.meter)
          samples.push({ atMs: Math.round(now.atMs - begin.atMs), queued, cores: coresBetween(last, now) })
          last = now
        }
        return -queued
      },
      signal
    )
    const end = await snapshot(system, load.meter)
    load.end()
    const [requests, draining] = await Promise.all([load.requests, endPeak()])

    const acceptedCount = requests.filter(isAccepted).length
    await untilSettled(system, paymentCount + acceptedCount, signal)
    await system.assertAlive()
    await checkBooks(system, paymentCount + acceptedCount, requests.length - acceptedCount)
    const drainSeconds = (end.atMs - begin.atMs) / 1_000
    const accepting = acceptingBetween(begin, end, requests)
    say(
      `  drained in ${drainSeconds.toFixed(1)} s: accept p50 ${accepting.p50Ms.toFixed(2)} ms, p99 ${accepting.p99Ms.toFixed(2)} ms`
    )
    return {
      ...filled,
      restarts,
      draining,
      drainSeconds,
      accepting,
      samples,
      settledPerSecond: (end.settled - begin.settled) / drainSeconds,
      cores: coresBetween(begin, end),
      coresByService: mapServices(name => (end.cpuMicros[name] - begin.cpuMicros[name]) / 1e6 / drainSeconds)
    }
  } finally {
    pipeline.redis.disconnect()
  }
}

async function setFailing({ processorUrls }: LocalSystem, isFailing: boolean): Promise<void> {
  await Promise.all(Object.values(processorUrls).map(url => new ProcessorAdmin(url).setFailing(isFailing)))
}

/** Accepts payments as the gateways do, without HTTP; the worker holds and probes them meanwhile. */
async function fill(
  { system, settings: { paymentCount }, signal }: Bench,
  pipeline: PipelineRedis
): Promise<Pick<Drain, 'filledPerSecond' | 'bytesPerQueued' | 'filling'>> {
  // What the purge has freed and what the last round has written must not stand in the figures.
  await untilLogIsQuiet(pipeline, signal)
  const { usedBytes: emptyBytes } = await pipeline.info()
  const endPeak = await watchRedisPeak(pipeline, system.services.redis)
  const startedAtMs = performance.now()
  let next = 0
  const acceptSome = async () => {
    while (next < paymentCount) {
      signal.throwIfAborted()
      const count = Math.min(FILL_BATCH, paymentCount - next)
      next += count
      const answers = await pipeline.functions.accept(newPayments(count), Infinity)
      if (answers.some(answer => answer !== 'accepted'))
        throw new Error('a payment was not accepted while the queue was filled')
    }
  }
  await Promise.all(Array.from({ length: FILL_CALLS }, acceptSome))
  const filledPerSecond = (paymentCount / (performance.now() - startedAtMs)) * 1_000
  await untilLogIsQuiet(pipeline, signal)
  const filling = await endPeak()
  const queued = await pipeline.queueLength()
  if (queued !== paymentCount)
    throw new BooksError(
      `${paymentCount} payments were accepted while both processors failed, and ${queued} are queued`
    )
  return { filledPerSecond, bytesPerQueued: ((await pipeline.info()).usedBytes - emptyBytes) / paymentCount, filling }
}

async function untilLogIsQuiet({ info }: PipelineRedis, signal: AbortSignal): Promise<void> {
  while ((await info()).isRewriting) await sleep(50, undefined, { signal })
}

/** @throws BooksError when the queue is not as long as it was */
async function restart(
  { system: { stack, url }, signal, say }: Bench,
  pipeline: PipelineRedis,
  name: Restart['signal']
): Promise<Restart> {
  const redis = stack.part('redis')
  const [queued, { logBytes }] = await Promise.all([pipeline.queueLength(), pipeline.info()])
  const secondsSince = (ms: number) => (performance.now() - ms) / 1_000
  const toldAtMs = performance.now()
  if (name === 'SIGKILL') redis.kill('SIGKILL')
  else await redis.stop(STOP_GRACE_MS)
  await redis.exited
  const stopSeconds = secondsSince(toldAtMs)
  const startedAtMs = performance.now()
  await redis.start()
  const loadSeconds = secondsSince(startedAtMs)
  await untilServing(url, signal)
  const serveSeconds = secondsSince(startedAtMs)
  say(`  Redis was back ${serveSeconds.toFixed(1)} s after its start, stopped by ${name} with ${queued} payments`)
  while (pipeline.redis.status !== 'ready') await sleep(10, undefined, { signal })
  const found = await pipeline.queueLength()
  if (found !== queued) throw new BooksError(`${queued} payments were queued before ${name}, and ${found} after it`)
  return { signal: name, queued, logBytes, stopSeconds, loadSeconds, serveSeconds }
}

/** Until HAProxy and a gateway answer what needs Redis. */
async function untilServing(url: string, signal: AbortSignal): Promise<void> {
  while (true) {
    const isServing = await readBackend(url).then(
      () => true,
      () => false
    )
    if (isServing) return
    await sleep(10, undefined, { signal })
  }
}
