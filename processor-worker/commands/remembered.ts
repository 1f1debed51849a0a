import type { Redis } from 'ioredis'
import { digitsAt, parseIdRecord, uuidOf } from '../../shared/id-memory.ts'
import type { Keys } from '../../shared/keys.ts'
import type { ProcessorName } from '../../shared/payment.ts'

export type RememberedPayment = {
  correlationId: string
  /** Undefined while it is not settled. */
  settled: { processor: ProcessorName; cents: number; requestedAtMs: number } | undefined
}

/** Every payment whose id Redis remembers, once, in no order; shared/id-memory.ts has the form of the records. */
export async function* rememberedPayments(redis: Redis, keys: Keys): AsyncGenerator<RememberedPayment> {
  // A SCAN may tell a key twice.
  const seen = new Set<string>()
  for await (const page of redis.scanStream({ match: keys.idsPattern, count: 1_000 })) {
    for (const node of page as string[]) {
      if (seen.has(node)) continue
      seen.add(node)
      for (const [field, record] of Object.entries(await redis.hgetall(node))) {
        const parsed = parseIdRecord(record)
        yield { correlationId: uuidOf(digitsAt(node, field)), settled: parsed.state === 'settled' ? parsed : undefined }
      }
    }
  }
}
