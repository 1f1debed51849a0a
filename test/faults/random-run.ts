// One seed: a stack, clients, a plan of faults, then quiet, then every check.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describeExit } from '../../compose/local/part.ts'
import { eventually, PATIENCE_MS } from '../support/eventually.ts'
import { createOwner } from '../support/owner.ts'
import { createRandom } from '../support/random.ts'
import { startFaultStack, type FaultStack } from './harness.ts'
import { createInjector } from './inject.ts'
import { assertEverythingAddsUp } from './invariants.ts'
import { makePlan, nameOf, type Plan } from './plan.ts'
import { watchRecovery, type Recovery } from './recovery.ts'
import { createTraffic, type Traffic } from './traffic.ts'

export type RunReport = {
  seed: number
  durationMs: number
  payments: number
  accepted: number
  requests: number
  /** Requests that were not accepted, by status or by the connection's error. */
  clientErrors: Record<string, number>
  /** How often each kind of fault happened. */
  faults: Record<string, number>
  recoveries: Recovery[]
  /** From the end of the traffic until nothing was left. */
  drainMs: number
  booked: { default: number; fallback: number }
  deadLetters: number
  /** What is wrong; undefined when everything adds up. */
  failure?: string
  /** Logs, sockets and data; kept only when something is wrong. */
  directory: string
}

export type RunOptions = {
  seed: number
  payments: number
  faults: number
  /** Payments a second. */
  rate?: number
  /** Told of each fault when it happens. */
  onFault?: (text: string) => void
}

/**
 * A run that takes longer has got stuck: it waits for all faults and payments, and then for the longest back-offs to
 * end.
 */
const SEED_MAX_MS = 5 * PATIENCE_MS

/** Never throws for what goes wrong in the pipeline: that stands in `failure`. */
export async function runSeed({
  seed,
  payments,
  faults,
  rate = 300,
  onFault = () => undefined
}: RunOptions): Promise<RunReport> {
  const startedAtMs = performance.now()
  const plan = makePlan(seed, faults)
  const owner = createOwner()
  const report = emptyReport(seed, await mkdtemp(join(tmpdir(), `faults-${seed}-`)))
  let traffic: Traffic | undefined
  try {
    const { directory } = report
    const stack = await startFaultStack(owner.own, { directory, workers: plan.workers, environment: plan.environment })
    traffic = createTraffic(owner.own, stack.stack.url, seed)
    const playing = owner.own(playFaults(stack, traffic, plan, report, onFault), running => running.stop())
    traffic.start(rate)
    const crashed = stack.stack.crashed.then(({ part, ...exit }) => {
      throw new Error(`${part} ended on its own: ${describeExit(exit)}`)
    })
    await withinMs(SEED_MAX_MS, Promise.race([crashed, untilQuiet(stack, traffic, playing, payments, report)]))
    assert.deepEqual(traffic.violations, [])
    const bookings = await assertEverythingAddsUp(stack, traffic, createRandom(seed, 'ranges'), rejectedMax(plan))
    for (const { processor } of bookings) report.booked[processor] += 1
    report.deadLetters = await stack.redis.xlen(stack.keys.deadLetters)
  } catch (error) {
    report.failure = error instanceof Error ? (error.stack ?? error.message) : String(error)
  } finally {
    await owner.release()
  }
  Object.assign(report, {
    payments: traffic?.sent.size ?? 0,
    accepted: traffic?.accepted.size ?? 0,
    requests: traffic?.requestCount() ?? 0,
    clientErrors: traffic?.errors ?? {},
    durationMs: Math.round(performance.now() - startedAtMs)
  })
  if (report.failure === undefined) await rm(report.directory, { recursive: true, force: true })
  return report
}

type Playing = {
  /** Resolves when the last fault is over. */
  over: Promise<unknown>
  /** Ends what is going on; nothing is started again afterwards. */
  stop: () => Promise<void>
}

function playFaults(
  stack: FaultStack,
  traffic: Traffic,
  plan: Plan,
  report: RunReport,
  onFault: (text: string) => void
): Playing {
  const stopping = new AbortController()
  const { signal } = stopping
  const watches: Promise<void>[] = []
  const beganAtMs = performance.now()
  const injector = createInjector(
    stack,
    {
      onFault: fault => {
        const name = nameOf(fault)
        onFault(`${(performance.now() - beganAtMs).toFixed(0).padStart(6)} ms  ${name}  ${JSON.stringify(fault)}`)
        report.faults[name] = (report.faults[name] ?? 0) + 1
      },
      onKilled: (fault, killedAtMs) => {
        const watch = watchRecovery(stack, traffic, { kind: nameOf(fault), killedAtMs, signal })
        watches.push(
          watch.then(recovery => {
            if (recovery !== undefined) report.recoveries.push(recovery)
          })
        )
      }
    },
    signal
  )
  const steps = plan.steps.map(async ({ atMs, fault }) => {
    await sleep(atMs, undefined, { signal })
    await injector.inject(fault)
  })
  return {
    over: Promise.all(steps),
    async stop() {
      stopping.abort()
      await Promise.allSettled([...steps, ...watches])
    }
  }
}

/** Returns when the faults are over, all payments are sent and ended, and nothing is under way any more. */
async function untilQuiet(
  stack: FaultStack,
  traffic: Traffic,
  playing: Playing,
  payments: number,
  report: RunReport
): Promise<void> {
  await playing.over
  await eventually(`${payments} payments are sent`, () => traffic.sent.size >= payments, SEED_MAX_MS)
  for (const proxy of Object.values(stack.proxies)) proxy.calm()
  await traffic.stop()
  const trafficEndedAtMs = performance.now()
  await eventually('everything is settled', () => isQuiet(stack), 2 * PATIENCE_MS)
  report.drainMs = Math.round(performance.now() - trafficEndedAtMs)
}

/** How many payments the plan lets processors refuse for good. */
function rejectedMax({ steps }: Plan): number {
  return steps.reduce((sum, { fault }) => sum + (fault.kind === 'reject' ? fault.count : 0), 0)
}

function emptyReport(seed: number, directory: string): RunReport {
  return {
    seed,
    durationMs: 0,
    payments: 0,
    accepted: 0,
    requests: 0,
    clientErrors: {},
    faults: {},
    recoveries: [],
    drainMs: 0,
    booked: { default: 0, fallback: 0 },
    deadLetters: 0,
    directory
  }
}

/** Nothing is queued, and no attempt that its worker gave up is still under way at a processor. */
async function isQuiet({ redis, keys, admins }: FaultStack): Promise<boolean> {
  const [queued, ...states] = await Promise.all([
    redis.xlen(keys.queue),
    admins.default.state(),
    admins.fallback.state()
  ])
  return queued === 0 && states.every(({ running, queued: waiting }) => running + waiting === 0)
}

async function withinMs(limitMs: number, work: Promise<void>): Promise<void> {
  const { promise: isLate, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`the run was not over within ${limitMs} ms`)), limitMs)
  try {
    await Promise.race([work, isLate])
  } finally {
    clearTimeout(timer)
  }
}
