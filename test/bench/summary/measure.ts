// Summaries over a long history, alone and while payments are accepted; and what that history takes in Redis.
import { setTimeout as sleep } from 'node:timers/promises'
import { centsIn, differences, readBackend, readProcessors, requestsIn } from '../../k6/books.ts'
import { acceptingBetween, type Accepting } from '../accepting.ts'
import type { Tools } from '../command.ts'
import { isAccepted, startLoad } from '../load.ts'
import { startLocalSystem, type LocalSystem } from '../local-system.ts'
import { warmUp } from '../measure-rate.ts'
import { deleteHashes, openPipelineRedis, type PipelineRedis } from '../pipeline-redis.ts'
import { mapServices, type ByService } from '../result.ts'
import { BooksError, purge, untilSettled } from '../system-books.ts'
import type { SummarySettings } from './arguments.ts'
import { startAsking } from './ask.ts'
import { summariesOf } from './figures.ts'
import { fillThirtyDays } from './fill.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { createRanges, type Range } from './ranges.ts'
import type { Round, Summaries, SummaryFigures } from './result.ts'

const ASKED_PER_SECOND = 100
/** The load runs for so long before the figures begin. */
const LEAD_SECONDS = 1
const WARM_UP = { ratePerSecond: 2_000, seconds: 3 }
/** What a running system settles now is later than the history. */
const HISTORY_ENDS_BEFORE_MS = 60_000

type Bench = Tools & { system: LocalSystem; settings: SummarySettings; ledger: Ledger; nextRange: () => Range }

/** @throws BooksError; whatever else went wrong; the signal's reason when aborted */
export async function measureSummary(settings: SummarySettings, tools: Tools): Promise<SummaryFigures> {
  const { signal, say } = tools
  const { paymentCount: payments, ratePerSecond: rate, seconds } = settings
  say('starting the whole system')
  const system = await startLocalSystem(signal)
  let pipeline: PipelineRedis | undefined
  try {
    await warmUp(tools.tool, system, WARM_UP, signal)
    await purge(system)
    pipeline = await openPipelineRedis(system.stack.redisPath)
    const { usedBytes: emptyBytes } = await pipeline.info()
    const ledger = createLedger(payments, Math.floor((Date.now() - HISTORY_ENDS_BEFORE_MS) / 1_000) * 1_000)
    // It would send them to the processors.
    await system.stack.part('worker-1').stop()
    const filledPerSecond = await fillThirtyDays(ledger, pipeline, signal, say)
    await system.stack.part('worker-1').start()

    const bench: Bench = { ...tools, system, settings, ledger, nextRange: createRanges(ledger, Math.random) }
    // Code and connections for summaries become warm as well.
    await ask(bench, () => sleep(LEAD_SECONDS * 1_000))
    const rounds: Round[] = []
    let acceptedCount = 0
    const accept = async () => {
      const { accepting, accepted } = await measureAccepting(bench)
      acceptedCount += accepted
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
    await checkBooks(bench, acceptedCount)

    const usedBytes = (await pipeline.info()).usedBytes - emptyBytes
    const { fieldCount: idCount, bytes: idBytes } = await deleteHashes(pipeline, pipeline.keys.idsPattern)
    return {
      payments,
      rate,
      seconds,
      filledPerSecond,
      memory: { usedBytes, idCount, idBytes, totalsBytes: usedBytes - idBytes },
      rounds
    }
  } finally {
    // An open connection would keep the process alive.
    pipeline?.redis.disconnect()
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

async function measureAccepting({
  system,
  settings: { ratePerSecond, seconds },
  tool,
  signal
}: Bench): Promise<{ accepting: Accepting; accepted: number }> {
  const load = startLoad(tool, system.url, ratePerSecond, LEAD_SECONDS + seconds, signal)
  const begin = { wallMicros: (Date.now() + LEAD_SECONDS * 1_000) * 1_000 }
  const requests = await load.requests
  const accepted = requests.filter(isAccepted).length
  if (accepted < requests.length)
    throw new Error(`${requests.length - accepted} of ${requests.length} payments were not accepted`)
  return { accepting: acceptingBetween(begin, { wallMicros: Infinity }, requests), accepted }
}

/** The history, and what was accepted since, which the processors have as well. @throws BooksError */
async function checkBooks({ system: { url, processorUrls }, ledger }: Bench, acceptedCount: number): Promise<void> {
  const [processors, backend] = await Promise.all([readProcessors(processorUrls, '123'), readBackend(url)])
  const history = ledger.sum(0, Infinity)
  for (const name of ['default', 'fallback'] as const) {
    processors[name].requests += history[name].requests
    processors[name].cents += history[name].cents
  }
  const objections = differences(processors, backend)
  if (requestsIn(backend) !== ledger.count + acceptedCount) {
    objections.push(
      `${ledger.count} and ${acceptedCount} payments were accepted, and ${requestsIn(backend)} for ${centsIn(backend) / 100} are settled`
    )
  }
  if (objections.length > 0) throw new BooksError(objections.join('; '))
}
