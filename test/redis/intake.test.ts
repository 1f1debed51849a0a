// Goal: of what waits for a frozen Redis a gateway keeps no more than it may, and does not grow however much comes.
// Method: the intake of a gateway on a real Redis that is frozen (SIGSTOP).
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createIntake, type IntakeResult } from '../../gateway/intake.ts'
import { createTally } from '../../gateway/tally.ts'
import { createKeys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { createFunctions } from '../../shared/redis/functions.ts'
import { eventually } from '../support/eventually.ts'
import { whileFrozen } from '../support/frozen-redis.ts'
import { newPayment, newPayments } from '../support/payments.ts'
import { startTestRedis } from '../support/redis.ts'

const WAITING_MAX = 50
const REDIS_TIMEOUT_MS = 2_000
const { redis, url } = await startTestRedis()
const log = createLog('test', 'silent')
const client = await connectRedis(url, 'gateway', REDIS_TIMEOUT_MS, log)
after(() => client.disconnect())
const functions = createFunctions(client, createKeys(), 24)
const limits = { queuedMax: 100_000, waitingMax: WAITING_MAX }
const intake = createIntake({ functions, limits, tally: createTally(), log })
const submit = (payment: ReturnType<typeof newPayment>) =>
  new Promise<IntakeResult>(resolve => intake.submit(payment, resolve))
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
/** On the heap and in buffers. */
const bytesInUse = () => {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
const untilAccepting = () =>
  eventually('payments are accepted', async () => (await submit(newPayment())).kind === 'accepted')

test('no more than may wait do so; the others are refused at once', async () => {
  await untilAccepting()
  const inOrder: IntakeResult[] = []
  const send = async (payment: ReturnType<typeof newPayment>) => inOrder.push(await submit(payment))
  await whileFrozen(redis, () => Promise.all(newPayments(300).map(send)))
  const refusedFor = (reason: string) => ({ kind: 'refused', reason })
  for (const result of inOrder.slice(0, 250)) assert.deepEqual(result, refusedFor('too-many-waiting'))
  for (const result of inOrder.slice(250)) assert.deepEqual(result, refusedFor('unreachable'))
  await untilAccepting()
})

test('what is refused takes no memory', async t => {
  const flood = async (count: number) => {
    for (let sent = 0; sent < count; sent += 100) {
      const results = newPayments(100).map(submit)
      // A turn of the event loop, as requests come.
      await Promise.race([Promise.all(results), new Promise(setImmediate)])
    }
  }
  await untilAccepting()
  const grownBytes = await whileFrozen(redis, async () => {
    await flood(10_000)
    const before = bytesInUse()
    await flood(100_000)
    return bytesInUse() - before
  })
  t.diagnostic(`100,000 payments refused, ${(grownBytes / 1e6).toFixed(1)} MB more`)
  // 100,000 that waited take 30 MB.
  assert(grownBytes < 5_000_000, `${grownBytes} bytes`)
  await untilAccepting()
})
