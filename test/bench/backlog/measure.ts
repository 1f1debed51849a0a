// Accepting with and without a backlog that drains, by turns, and what the backlog itself costs.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { createFunctions } from '../../../shared/redis/functions.ts'
import { readBackend } from '../../support/books.ts'
import { say } from '../../support/command.ts'
import { newPayments } from '../../support/payments.ts'
import { works } from '../../support/program.ts'
import type { Tools } from '../command.ts'
import { isAccepted, startLoad } from '../load.ts'
import { LEAD_SECONDS, measureAccepting, snapshot, warmUp } from '../measure-rate.ts'
import { acceptingBetween, coresBetween, type Accepting } from '../rate-figures.ts'
import { redisInfo, watchRedisPeak, type RedisPeak } from '../redis-figures.ts'
import { mapServices, type ByService, type RateResult } from '../result.ts'
import { BooksError, checkBooks, purge, untilEnough, untilSettled } from '../system-books.ts'
import { startLocalSystem, type LocalSystem } from '../system.ts'

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

/** What one command found: one line of JSON in .results/backlog.jsonl, with its provenance. */
export type BacklogFigures = { payments: number; rate: number; seconds: number; rounds: Round[] }

/** Once without a backlog, once while one drains. */
export type Round = { idle: Accepting; drain: Drain }

export type Drain = {
  /** How fast the queue was filled, straight into Redis. */
  filledPerSecond: number
  /** What Redis's memory grew by, divided by the payments: the queue and the memory of the ids. */
  bytesPerQueued: number
  /** While the queue was filled, and while it drained. */
  filling: RedisPeak
  draining: RedisPeak
  restarts: Restart[]
  /** From when both processors were well again until nothing of the backlog was left. */
  drainSeconds: number
  /** Settled in that time, divided by it; what arrived meanwhile is among it. */
  settledPerSecond: number
  accepting: Accepting
  cores: RateResult['cores']
  coresByService: ByService
  /**
   * How the queue became shorter, from when both processors were well, about once a second; and who had the cores since
   * the sample before.
   */
  samples: { atMs: number; queued: number; cores: RateResult['cores'] }[]
}

export type Restart = {
  signal: 'SIGTERM' | 'SIGKILL'
  queued: number
  logBytes: number
  /** From the signal until the process was gone. */
  stopSeconds: number
  /** From its start until Redis answered: it had read all of its log. */
  loadSeconds: number
  /** From its start until a client had an answer about its payments through HAProxy. */
  serveSeconds: number
}

export type BacklogSettings = {
  paymentCount: number
  ratePerSecond: number
  seconds: number
  runCount: number
  restartsRedis: boolean
}

type Bench = Tools & { system: LocalSystem; settings: BacklogSettings }

/** @throws BooksError; whatever else went wrong; the signal's reason when aborted */
export async function measureBacklog(settings: BacklogSettings, tools: Tools): Promise<BacklogFigures> {
  const { paymentCount: payments, ratePerSecond: rate, seconds, runCount } = settings
  say('starting the whole system')
  const system = await startLocalSystem(tools.signal)
  try {
    const bench = { ...tools, system, settings }
    await warmUp(tools.tool, system, WARM_UP, tools.signal)
    const rounds: BacklogFigures['rounds'] = []
    for (let number = 1; number <= runCount; number += 1) {
      say(`round ${number} of ${runCount}`)
      rounds.push({ idle: await measureIdle(bench), drain: await measureDrain(bench) })
    }
    return { payments, rate, seconds, rounds }
  } finally {
    await system.stop()
  }
}

async function measureIdle({ system, settings, tool, signal }: Bench): Promise<Accepting> {
  await purge(system)
  const { accepting, acceptedCount } = await measureAccepting(tool, system, settings, signal)
  await untilSettled(system, acceptedCount, signal)
  await checkBooks(system, acceptedCount, accepting.failed)
  say(`  no backlog: accept p50 ${accepting.p50Ms.toFixed(2)} ms, p99 ${accepting.p99Ms.toFixed(2)} ms`)
  return accepting
}

async function measureDrain(bench: Bench): Promise<Drain> {
  const {
    system,
    settings: { paymentCount, ratePerSecond, restartsRedis },
    tool,
    signal
  } = bench
  await purge(system)
  await setFailing(system, true)
  const queueLength = () => system.redis.xlen(system.keys.queue)
  const filled = await fill(bench)
  say(
    `  ${paymentCount} payments queued at ${filled.filledPerSecond.toFixed(0)}/s, ${filled.bytesPerQueued.toFixed(1)} bytes each`
  )
  const restarts: Restart[] = []
  if (restartsRedis) {
    for (const name of ['SIGTERM', 'SIGKILL'] as const) restarts.push(await restart(bench, name))
  }

  const load = startLoad(tool, system.url, ratePerSecond, DRAIN_SECONDS_MAX, signal)
  await sleep(LEAD_SECONDS * 1_000, undefined, { signal })
  const endPeak = await watchRedisPeak(system.redis, system.services.redis)
  const begin = await snapshot(system, load.meter)
  await setFailing(system, false)
  const samples: Drain['samples'] = []
  const passing = Math.floor(ratePerSecond * PASSING_SECONDS)
  let last = begin
  await untilEnough(
    -passing,
    async () => {
      const queued = await queueLength()
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
}

async function setFailing({ admins }: LocalSystem, isFailing: boolean): Promise<void> {
  await Promise.all(Object.values(admins).map(admin => admin.setFailing(isFailing)))
}

/** Accepts payments as the gateways do, without HTTP; the worker holds and probes them meanwhile. */
async function fill({
  system: { redis, keys, services },
  settings: { paymentCount },
  signal
}: Bench): Promise<Pick<Drain, 'filledPerSecond' | 'bytesPerQueued' | 'filling'>> {
  // What the purge has freed and what the last round has written must not stand in the figures.
  await untilLogIsQuiet(redis, signal)
  const { usedBytes: emptyBytes } = await redisInfo(redis)
  const endPeak = await watchRedisPeak(redis, services.redis)
  const functions = createFunctions(redis, keys, 24)
  const startedAtMs = performance.now()
  let next = 0
  const acceptSome = async () => {
    while (next < paymentCount) {
      signal.throwIfAborted()
      const count = Math.min(FILL_BATCH, paymentCount - next)
      next += count
      const answers = await functions.accept(newPayments(count), Infinity)
      if (answers.some(answer => answer !== 'accepted'))
        throw new Error('a payment was not accepted while the queue was filled')
    }
  }
  await Promise.all(Array.from({ length: FILL_CALLS }, acceptSome))
  const filledPerSecond = (paymentCount / (performance.now() - startedAtMs)) * 1_000
  await untilLogIsQuiet(redis, signal)
  const filling = await endPeak()
  const queued = await redis.xlen(keys.queue)
  if (queued !== paymentCount)
    throw new BooksError(
      `${paymentCount} payments were accepted while both processors failed, and ${queued} are queued`
    )
  return { filledPerSecond, bytesPerQueued: ((await redisInfo(redis)).usedBytes - emptyBytes) / paymentCount, filling }
}

async function untilLogIsQuiet(redis: Redis, signal: AbortSignal): Promise<void> {
  while ((await redisInfo(redis)).isRewriting) await sleep(50, undefined, { signal })
}

/** @throws BooksError when the queue is not as long as it was */
async function restart(
  { system: { stack, redis, keys, url }, signal }: Bench,
  name: Restart['signal']
): Promise<Restart> {
  const part = stack.part('redis')
  const [queued, { logBytes }] = await Promise.all([redis.xlen(keys.queue), redisInfo(redis)])
  const secondsSince = (ms: number) => (performance.now() - ms) / 1_000
  const toldAtMs = performance.now()
  if (name === 'SIGKILL') part.kill('SIGKILL')
  else await part.stop(STOP_GRACE_MS)
  await part.exited
  const stopSeconds = secondsSince(toldAtMs)
  const startedAtMs = performance.now()
  await part.start()
  const loadSeconds = secondsSince(startedAtMs)
  await untilServing(url, signal)
  const serveSeconds = secondsSince(startedAtMs)
  say(`  Redis was back ${serveSeconds.toFixed(1)} s after its start, stopped by ${name} with ${queued} payments`)
  while (redis.status !== 'ready') await sleep(10, undefined, { signal })
  const found = await redis.xlen(keys.queue)
  if (found !== queued) throw new BooksError(`${queued} payments were queued before ${name}, and ${found} after it`)
  return { signal: name, queued, logBytes, stopSeconds, loadSeconds, serveSeconds }
}

/** Until HAProxy and a gateway answer what needs Redis. */
async function untilServing(url: string, signal: AbortSignal): Promise<void> {
  while (!(await works(readBackend(url)))) await sleep(10, undefined, { signal })
}
