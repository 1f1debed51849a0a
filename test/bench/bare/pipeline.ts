// The least pipeline of the same shape, driven at the same rates by the same load: HAProxy, two gateways, Redis and a
// worker that check nothing and remember nothing. It is what the machine takes for a payment that passes so many
// processes, waking them included; what ours costs beyond it is what our guarantees cost.
import { setTimeout as sleep } from 'node:timers/promises'
import { sum } from '../../support/statistics.ts'
import { isAccepted, startLoad } from '../load.ts'
import { LEAD_SECONDS, type Rate } from '../measure-rate.ts'
import { mapServices, type BareRate } from '../result.ts'
import { untilEnough } from '../system-books.ts'
import { startLocalSystem, type LocalSystem } from '../system.ts'
import { SETTLED_KEY } from './queue.ts'

const PROGRAMS = { gateway: 'test/bench/bare/gateway.ts', worker: 'test/bench/bare/worker.ts' }

/**
 * @param rates the first one warms up and has no result
 * @throws BooksError when something that was accepted is not settled; whatever else went wrong; the signal's reason
 *   when aborted
 */
export async function measureBarePipeline(
  tool: string,
  rates: readonly Rate[],
  signal: AbortSignal
): Promise<BareRate[]> {
  const system = await startLocalSystem(signal, { monitors: 0, programs: PROGRAMS })
  try {
    const results: BareRate[] = []
    for (const rate of rates) results.push(await measure(tool, system, rate, signal))
    await system.assertAlive()
    return results.slice(1)
  } finally {
    await system.stop()
  }
}

/** From a moment under load until everything is settled, as for the whole system. */
async function measure(
  tool: string,
  { url, redis, services }: LocalSystem,
  { ratePerSecond, seconds }: Rate,
  signal: AbortSignal
): Promise<BareRate> {
  const readSettled = async () => sum((await redis.hvals(SETTLED_KEY)).map(Number))
  const read = async () => ({
    settled: await readSettled(),
    cpuMicros: mapServices(name => services[name].cpuMicros())
  })
  const settledBefore = await readSettled()
  const load = startLoad(tool, url, ratePerSecond, LEAD_SECONDS + seconds, signal)
  await sleep(LEAD_SECONDS * 1_000, undefined, { signal })
  const begin = await read()
  const requests = await load.requests
  await untilEnough(settledBefore + requests.filter(isAccepted).length, readSettled, signal)
  const end = await read()
  const settledCount = end.settled - begin.settled
  return {
    rate: ratePerSecond,
    microsByService: mapServices(name => (end.cpuMicros[name] - begin.cpuMicros[name]) / settledCount)
  }
}
