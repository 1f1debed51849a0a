// Goal: a heartbeat comes to its end, whoever else takes over what at the same time.
// Method: a real redis-server; another worker acts between two calls of the heartbeat.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog } from '../../shared/log.ts'
import type { Functions } from '../../shared/redis/functions.ts'
import { beatAndTakeOver } from '../../processor-worker/takeover.ts'
import { newPayments } from '../support/payments.ts'
import { startTestRedis } from '../support/redis.ts'
import { acceptAndTake } from '../support/taken.ts'

const { redis, isolate } = await startTestRedis()

test('two workers that take each other for dead do not take payments for ever', { timeout: 10_000 }, async () => {
  const { keys, functions } = await isolate()
  await acceptAndTake(functions, newPayments(450), 'other')
  await redis.zadd(keys.workers, 1, 'other')
  let callCount = 0
  const reclaim: Functions['reclaim'] = async (worker, entryIds) => {
    const taken = await functions.reclaim(worker, entryIds)
    // What is ours now is the other one's again before we look on. Not for ever, so that this test ends as well.
    if (++callCount < 100) await functions.reclaim('other', entryIds)
    return taken
  }
  const adopted = new Set<string>()
  const loop = {
    hasInHand: (entryId: string) => adopted.has(entryId),
    onWorkerCount: () => undefined,
    onMalformed: () => undefined,
    adopt: (payments: readonly { entryId: string }[]) => {
      for (const { entryId } of payments) adopted.add(entryId)
    }
  }
  const log = createLog('test', 'silent')
  await beatAndTakeOver({ name: 'me', functions: { ...functions, reclaim }, loop, deadAfterMs: 2_000, log })
  assert.equal(callCount, 3, 'pages of 200')
  assert.equal(adopted.size, 450)
})
