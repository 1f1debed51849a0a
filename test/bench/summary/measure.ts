// Summaries over a long history, alone and while payments are accepted; and what that history takes in Redis.
import { setTimeout as sleep } from 'node:timers/promises'
import { say } from '../../support/command.ts'
import type { Tools } from '../command.ts'
import { measureAccepting, warmUp } from '../measure-rate.ts'
import type { Accepting } from '../rate-figures.ts'
import { deleteHashes, redisInfo } from '../redis-figures.ts'
import { mapServices, type ByService } from '../result.ts'
import { checkBooks, purge, untilSettled } from '../system-books.ts'
import { startLocalSystem, type LocalSystem } from '../system.ts'
import { createRanges, startAsking, summariesOf, type Range, type Summaries } from './ask.ts'
import { fillThirtyDays } from './fill.ts'
import { createLedger, type Ledger } from './ledger.ts'

const ASKED_PER_SECOND = 100
const ASK_WARM_UP_MS = 1_000
const WARM_UP = { ratePerSecond: 2_000, seconds: 3 }
/** What a running system settles now is later than the history. */
const HISTORY_ENDS_BEFORE_MS = 60_000

/** What one command found: one line of JSON in .results/summary.jsonl, with its provenance. */
export type SummaryFigures = {
  payments: number
  rate: number
  seconds: number
  filledPerSecond: number
  memory: {
    /** Redis's used memory, more than when the system was empty. */
    usedBytes: number
    idCount: number
    idBytes: number
    /** Without the ids: the totals. */
    totalsBytes: number
  }
  rounds: Round[]
}

/** Summaries alone, accepting alone, and both at the same time. */
export type Round = {
  alone: Summaries
  /** µs of CPU a summary, what the services do by themselves meanwhile included. */
  aloneMicrosByService: ByService
  accepting: Accepting
  acceptingBeside: Accepting
  beside: Summaries
}

export type SummarySettings = { paymentCount: number; ratePerSecond: number; seconds: number; runCount: number }

type Bench = Tools & { system: LocalSystem; settings: SummarySettings; ledger: Ledger; nextRange: () => Range }

/** @throws BooksError; whatever else went wrong; the signal's reason when aborted */
export async function measureSummary(settings: SummarySettings, tools: Tools): Promise<SummaryFigures> {
  const { signal } = tools
  const { paymentCount: payments, ratePerSecond: rate, seconds } = settings
  say('starting the whole system')
  const system = await startLocalSystem(signal)
  const { redis, keys } = system
  try {
    await warmUp(tools.tool, system, WARM_UP, signal)
    await purge(system)
    const { usedBytes: emptyBytes } = await redisInfo(redis)
    const ledger = createLedger(payments, Math.floor((Date.now() - HISTORY_ENDS_BEFORE_MS) / 1_000) * 1_000)
    // It would send them to the processors.
    await system.stack.part('worker-1').stop()
    const filledPerSecond = await fillThirtyDays(ledger, system, signal)
    await system.stack.part('worker-1').start()

    const bench: Bench = { ...tools, system, settings, ledger, nextRange: createRanges(ledger, Math.random) }
    // Code and connections for summaries become warm as well.
    await ask(bench, () => sleep(ASK_WARM_UP_MS))
    const rounds: Round[] = []
    let acceptedCount = 0
    const accept = async () => {
      const { accepting, acceptedCount: more } = await measureAccepting(tools.tool, system, settings, signal)
      if (accepting.failed > 0) throw new Error(`${accepting.failed} payments were not accepted`)
      acceptedCount += more
      await untilSettled(system, payments + acceptedCount, signal)
      return accepting
    }
    for (let number = 1; number <= settings.runCount; number += 1) {
      const { summaries: alone, microsByService: aloneMicrosByService } = await ask(bench, () =>
        sleep(seconds * 1_000, undefined, { signal })
      )
      const accepting = await accept()
      const { summaries: beside, result: acceptingBeside } = await ask(bench, accept)
      rounds.push({ alone, aloneMicrosByService, accepting, acceptingBeside, beside })
      say(
        `  round ${number} of ${settings.runCount}: summaries p99 ${alone.ranges['30 days'].p99Ms.toFixed(2)} ms over 30 days; ` +
          `accept p99 ${accepting.p99Ms.toFixed(2)} ms, beside summaries ${acceptingBeside.p99Ms.toFixed(2)} ms`
      )
    }
    await system.assertAlive()
    await checkBooks(system, acceptedCount, 0, ledger.sum(0, Infinity))

    const usedBytes = (await redisInfo(redis)).usedBytes - emptyBytes
    const { fieldCount: idCount, bytes: idBytes } = await deleteHashes(redis, keys.idsPattern)
    return {
      payments,
      rate,
      seconds,
      filledPerSecond,
      memory: { usedBytes, idCount, idBytes, totalsBytes: usedBytes - idBytes },
      rounds
    }
  } finally {
    await system.stop()
  }
}

/** Asks for summaries as long as something else goes on. */
async function ask<Result>(
  { system, ledger, nextRange, signal }: Bench,
  meanwhile: () => Promise<Result>
): Promise<{ summaries: Summaries; microsByService: ByService; result: Result }> {
  const ending = new AbortController()
  const before = mapServices(name => system.services[name].cpuMicros())
  const asking = startAsking(system.url, ASKED_PER_SECOND, nextRange, ledger, AbortSignal.any([signal, ending.signal]))
  try {
    const result = await meanwhile()
    const { answers, lateMs } = await asking.end()
    const microsByService = mapServices(name => (system.services[name].cpuMicros() - before[name]) / answers.length)
    return { summaries: summariesOf(answers, lateMs), microsByService, result }
  } finally {
    ending.abort()
  }
}
