import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { createKeys } from '../../../shared/keys.ts'
import { createLog } from '../../../shared/log.ts'
import { centsFromDigits } from '../../../shared/money.ts'
import type { Payment } from '../../../shared/payment.ts'
import { connectRedis } from '../../../shared/redis/connect.ts'
import { replyErrorCode } from '../../../shared/redis/errors.ts'
import { createFunctions } from '../../../shared/redis/functions.ts'
import { loadLibrary } from '../../../shared/redis/library.ts'
import type { QueuedPayment } from '../../../shared/redis/queued-payment.ts'

export type Queue = {
  accept: (payments: readonly Payment[]) => Promise<unknown>
  /** Settles what was taken and takes the next. */
  exchange: (taken: readonly QueuedPayment[], countMax: number) => Promise<QueuedPayment[]>
  close: () => void
}

/**
 * @param kind `bare`: the least that Redis has to do; `ours`: the functions of the pipeline, called as its services do
 */
export async function openQueue(kind: string, socketPath: string): Promise<Queue> {
  const redis = await connectRedis(`unix:${socketPath}`, 'floor', 30_000, createLog('floor', 'silent'))
  const queue = await (kind === 'bare' ? bareQueue(redis) : ourQueue(redis))
  return {
    ...queue,
    close: () => {
      redis.disconnect()
    }
  }
}

async function ourQueue(redis: Redis): Promise<Omit<Queue, 'close'>> {
  await loadLibrary(redis)
  const functions = createFunctions(redis, createKeys(), 24)
  await functions.createGroup()
  return {
    accept: payments => functions.accept(payments, 100_000_000),
    async exchange(taken, countMax) {
      const requestedAtMs = Date.now()
      const [{ payments }] = await Promise.all([
        functions.take('bench', { processor: 'default', requestedAtMs }, countMax),
        functions.settle(
          'default',
          taken.map(payment => ({ ...payment, requestedAtMs }))
        )
      ])
      return payments
    }
  }
}

async function bareQueue(redis: Redis): Promise<Omit<Queue, 'close'>> {
  await redis.call('FUNCTION', 'LOAD', 'REPLACE', readFileSync(new URL('./bare.lua', import.meta.url), 'utf8'))
  await redis.xgroup('CREATE', 'queue', 'workers', '0', 'MKSTREAM').catch((error: unknown) => {
    if (replyErrorCode(error) !== 'BUSYGROUP') throw error
  })
  return {
    accept: payments =>
      redis.call(
        'FCALL',
        'bare_accept',
        1,
        'queue',
        ...payments.flatMap(({ correlationId, cents }) => [correlationId, cents])
      ),
    async exchange(taken, countMax) {
      const second = Math.floor(Date.now() / 1_000)
      const totals = ['requests', 'cents', 'requests-by-hour', 'cents-by-hour']
      const sumCents = taken.reduce((sum, { cents }) => sum + cents, 0)
      const entries = (await redis.call(
        'FCALL',
        'bare_exchange',
        5,
        'queue',
        ...totals,
        'workers',
        countMax,
        second,
        Math.floor(second / 3_600),
        sumCents,
        ...taken.map(({ entryId }) => entryId)
      )) as [string, string[]][]
      return entries.map(([entryId, [, correlationId = '', , digits = '']]) => {
        const cents = centsFromDigits(digits)
        if (cents === undefined) throw new Error(`not cents: ${digits}`)
        return { entryId, correlationId, cents }
      })
    }
  }
}
