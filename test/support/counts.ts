import assert from 'node:assert/strict'
import { PROCESSOR_NAMES, type ProcessorName } from '../../shared/payment.ts'
import type { TestPipeline } from './pipeline.ts'

export type Counts = { bookings: number; attempts: number }

/** What the models count from here on; no use across a restart of one, which forgets its attempts. */
export async function countFromNow({ admins }: TestPipeline): Promise<(name: ProcessorName) => Promise<Counts>> {
  const countsAt = async (name: ProcessorName): Promise<Counts> => {
    const { bookings, answered } = await admins[name].state()
    return { bookings, attempts: Object.values(answered).reduce((sum, count) => sum + count, 0) }
  }
  const start = { default: await countsAt('default'), fallback: await countsAt('fallback') }
  return async name => {
    const now = await countsAt(name)
    return { bookings: now.bookings - start[name].bookings, attempts: now.attempts - start[name].attempts }
  }
}

/** Our totals are those of the processors, and nothing is left over. */
export async function assertBooksEqual({ admins, keys, redis, summary }: TestPipeline): Promise<void> {
  const ours = await summary()
  for (const name of PROCESSOR_NAMES) {
    const { totalRequests, totalAmount } = await admins[name].summary()
    assert.deepEqual(ours[name], { requests: totalRequests, cents: Math.round(totalAmount * 100) }, name)
  }
  assert.deepEqual(
    [await redis.xlen(keys.queue), await redis.hlen(keys.inFlight), await redis.xlen(keys.deadLetters)],
    [0, 0, 0]
  )
}
