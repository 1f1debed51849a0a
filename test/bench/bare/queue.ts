import { readFileSync } from 'node:fs'
import { createLog } from '../../../shared/log.ts'
import { centsFromDigits } from '../../../shared/money.ts'
import type { Payment } from '../../../shared/payment.ts'
import { connectRedis } from '../../../shared/redis/connect.ts'
import { replyErrorCode } from '../../../shared/redis/errors.ts'
import type { QueuedPayment } from '../../../shared/redis/queued-payment.ts'

export type BareQueue = {
  accept: (payments: readonly Payment[]) => Promise<unknown>
  /** Settles what was taken and takes the next. */
  exchange: (taken: readonly QueuedPayment[], countMax: number) => Promise<QueuedPayment[]>
}

/** In this hash stands how many payments were settled, hour by hour. */
export const SETTLED_KEY = 'requests-by-hour'

/** The least that Redis has to do. @param url e.g. unix:/tmp/redis.sock */
export async function openQueue(url: string): Promise<BareQueue> {
  const redis = await connectRedis(url, 'bare', 30_000, createLog('bare', 'silent'))
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
      const totals = ['requests', 'cents', SETTLED_KEY, 'cents-by-hour']
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
