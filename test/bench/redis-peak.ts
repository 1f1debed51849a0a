// The most memory that Redis takes over some time, what a fork for the rewrite of its log copies included.
import type { PipelineRedis } from './pipeline-redis.ts'
import type { Meter } from './meter.ts'

export type RedisPeak = {
  usedBytes: number
  /** Pages of the process, and those that a rewrite had made it copy at that moment. */
  residentBytes: number
  /** Of that, at most copied. */
  copiedBytes: number
  /** Rewrites that began. */
  rewriteCount: number
}

const SAMPLE_EVERY_MS = 250

/** @returns ends the watch and tells what it saw */
export async function watchRedisPeak({ info }: PipelineRedis, meter: Meter): Promise<() => Promise<RedisPeak>> {
  const peak: RedisPeak = { usedBytes: 0, residentBytes: 0, copiedBytes: 0, rewriteCount: 0 }
  const first = await info()
  const sample = async () => {
    const { usedBytes, copiedBytes, rewriteCount } = await info()
    peak.usedBytes = Math.max(peak.usedBytes, usedBytes)
    peak.residentBytes = Math.max(peak.residentBytes, meter.memoryBytes() + copiedBytes)
    peak.copiedBytes = Math.max(peak.copiedBytes, copiedBytes)
    peak.rewriteCount = rewriteCount - first.rewriteCount
  }
  // Whatever makes a sample fail ends the measurement in another place.
  const timer = setInterval(() => {
    sample().catch(() => undefined)
  }, SAMPLE_EVERY_MS)
  return async () => {
    clearInterval(timer)
    await sample()
    return peak
  }
}
