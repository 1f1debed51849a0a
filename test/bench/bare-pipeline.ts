// The least pipeline of the same shape, driven at the same rates by the same load: HAProxy, two gateways, Redis and a
// worker that check nothing and remember nothing. What it costs beyond the floor is what the machine takes for waking
// so many processes so often.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { createLog } from '../../shared/log.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { inBench, startHaproxy, startModel, startRedis, startScript, type Bench } from './floor/parts.ts'
import { isAccepted, startLoad } from './load.ts'
import { processMeter, sumOfMeters, type Meter } from './meter.ts'
import { mapServices, type BareRate, type Service } from './result.ts'
import { sum } from './statistics.ts'
import { untilEnough } from './system-books.ts'

const LEAD_SECONDS = 1

type BarePipeline = { url: string; redis: Redis; services: Record<Service, Meter> }
type Options = { rates: readonly number[]; seconds: number; warmUp: { ratePerSecond: number; seconds: number } }

/**
 * @throws BooksError when something that was accepted is not settled; whatever else went wrong; the signal's reason
 *   when aborted
 */
export async function measureBarePipeline(
  tool: string,
  { rates, seconds, warmUp }: Options,
  signal: AbortSignal
): Promise<BareRate[]> {
  return inBench(signal, async bench => {
    const pipeline = await startBarePipeline(bench)
    await measureRate(tool, pipeline, warmUp.ratePerSecond, warmUp.seconds, signal)
    const results: BareRate[] = []
    for (const rate of rates) results.push(await measureRate(tool, pipeline, rate, seconds, signal))
    return results
  })
}

async function startBarePipeline(bench: Bench): Promise<BarePipeline> {
  const [{ part: redisPart, socketPath: redisPath }, model] = [
    await startRedis(bench, 'queue'),
    await startModel(bench)
  ]
  const worker = await startScript(bench, 'bare-worker', 'floor/bare-worker.ts', [redisPath, model.url])
  const sockets = ['gateway-1', 'gateway-2'].map(name => join(bench.directory, `${name}.sock`))
  const gateways = await Promise.all(
    sockets.map((socket, index) =>
      startScript(bench, `gateway-${index + 1}`, 'floor/bare-gateway.ts', [socket, redisPath])
    )
  )
  const { part: haproxy, url } = await startHaproxy(bench, sockets)
  const redis = bench.own(
    await connectRedis(`unix:${redisPath}`, 'bare', 30_000, createLog('bare', 'silent')),
    connected => {
      connected.disconnect()
    }
  )
  const parts = { haproxy: [haproxy], gateways, redis: [redisPart], worker: [worker], monitor: [] }
  return {
    url,
    redis,
    services: mapServices(service => sumOfMeters(parts[service].map(({ pid }) => processMeter(pid ?? 0))))
  }
}

/** From a moment under load until everything is settled, as for the whole system. */
async function measureRate(
  tool: string,
  { url, redis, services }: BarePipeline,
  rate: number,
  seconds: number,
  signal: AbortSignal
): Promise<BareRate> {
  const readSettled = async () => sum((await redis.hvals('requests-by-hour')).map(Number))
  const read = async () => ({
    settled: await readSettled(),
    cpuMicros: mapServices(name => services[name].cpuMicros())
  })
  const settledBefore = await readSettled()
  const load = startLoad(tool, url, rate, LEAD_SECONDS + seconds, signal)
  await sleep(LEAD_SECONDS * 1_000, undefined, { signal })
  const begin = await read()
  const requests = await load.requests
  await untilEnough(settledBefore + requests.filter(isAccepted).length, readSettled, signal)
  const end = await read()
  return {
    rate,
    microsByService: mapServices(name => (end.cpuMicros[name] - begin.cpuMicros[name]) / (end.settled - begin.settled))
  }
}
