import type { Redis } from 'ioredis'
import { parseIdRecord } from '../../shared/id-memory.ts'
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
        yield { correlationId: uuidOf(field + node.slice(-3)), settled: parsed.state === 'settled' ? parsed : undefined }
      }
    }
  }
}

function uuidOf(digits: string): string {
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join('-')
}
