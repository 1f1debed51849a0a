// Goal: whatever comes back to a worker, and in whatever order, it works on each payment once and does not stop.
// Method: the worker's loop against a real redis-server, with processors that answer when the test says so.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { Keys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import type { Functions } from '../../shared/redis/functions.ts'
import type { ProcessorClient } from '../../processor-worker/processor-client.ts'
import { startWorkerLoop, type WorkerLoop } from '../../processor-worker/loop.ts'
import type { SendOutcome } from '../../processor-worker/outcome.ts'
import { ROUTING_VARIABLES, routingParametersOf } from '../../processor-worker/routing-parameters.ts'
import { createTally } from '../../processor-worker/tally.ts'
import { readConfig } from '../../shared/environment.ts'
import { eventually } from '../support/eventually.ts'
import { newPayment, required } from '../support/payments.ts'
import { startTestRedis } from '../support/redis.ts'

const { redis, isolate } = await startTestRedis()

type Attempt = { correlationId: string; requestedAtMs: number; answer: (outcome: SendOutcome) => void }

/** A worker named "me" whose processor is in the hands of the test. */
function startLoop(t: TestContext, functions: Functions) {
  const attempts: Attempt[] = []
  const stored = new Map<string, number>()
  let lookupCount = 0
  let arrive: () => void = () => undefined
  const client: ProcessorClient = {
    send({ correlationId }, requestedAtMs, answer) {
      attempts.push({ correlationId, requestedAtMs, answer })
    },
    lookup(correlationId) {
      lookupCount += 1
      const requestedAtMs = stored.get(correlationId)
      if (requestedAtMs === undefined) return Promise.resolve({ kind: 'absent' })
      return Promise.resolve({ kind: 'stored', requestedAtMs, amount: 19.9 })
    },
    connectionCount: () => 0,
    close: () => Promise.resolve()
  }
  const loop: WorkerLoop = startWorkerLoop({
    name: 'me',
    functions,
    clients: { default: client, fallback: client },
    waitForArrival: () =>
      new Promise(resolve => {
        arrive = resolve
        setTimeout(resolve, 20)
      }),
    routing: { ...routingParametersOf(readConfig(ROUTING_VARIABLES, {})), breakerOpenMs: 10 },
    exchangeEveryMs: 0,
    nowMs: Date.now,
    requestedAtMs: Date.now,
    tally: createTally(),
    log: createLog('test', 'silent')
  })
  let crash: unknown
  loop.crashed.catch((error: unknown) => {
    crash = error
  })
  t.after(async () => {
    for (const { answer } of attempts) answer({ kind: 'booked' })
    await loop.drain().catch(() => undefined)
  })
  return {
    loop,
    attempts,
    stored,
    lookups: () => lookupCount,
    arrive: () => arrive(),
    crash: () => crash
  }
}

async function settledOnce(functions: Functions, keys: Keys) {
  await eventually('the queue is empty', async () => (await redis.xlen(keys.queue)) === 0)
  assert.deepEqual((await functions.sumOfAll()).default, { requests: 1n, cents: 1_990n })
}

test('a payment that a successor took over, and that comes back to us, is not worked on twice', async t => {
  const { keys, functions } = await isolate()
  const { loop, attempts, stored, lookups, crash } = startLoop(t, functions)
  const payment = newPayment()
  await functions.accept([payment], 10)
  const attempt = await eventually('it is sent', () => attempts[0])

  // As a worker does that takes us for dead, and as we do when that worker dies.
  const entryId = required((await functions.pending('me', 1))[0])
  await functions.reclaim('other', [entryId])
  loop.adopt((await functions.reclaim('me', [entryId])).payments)

  stored.set(payment.correlationId, attempt.requestedAtMs)
  attempt.answer({ kind: 'booked' })
  await settledOnce(functions, keys)
  assert.equal(lookups(), 0, 'the first attempt is still under way, so nobody asks')
  assert.equal(crash(), undefined)
})

test('a payment that was refused after a successor took it over stays with its processor', async t => {
  const { keys, functions } = await isolate()
  const { loop, attempts, crash } = startLoop(t, functions)
  await functions.accept([newPayment()], 10)
  const first = await eventually('it is sent', () => attempts[0])
  const entryId = required((await functions.pending('me', 1))[0])
  await functions.reclaim('other', [entryId])
  loop.adopt((await functions.reclaim('me', [entryId])).payments)

  first.answer({ kind: 'not-booked', reason: 'status 500' })
  await eventually('we let go of it', () => !loop.hasInHand(entryId))
  assert.match(required(await redis.hget(keys.inFlight, entryId)), /^default .* unresolved$/)

  // The heartbeat finds it pending for us and unheard of.
  loop.adopt((await functions.reclaim('me', [entryId])).payments)
  const second = await eventually('it is sent again', () => attempts[1])
  assert.equal(second.requestedAtMs, first.requestedAtMs)
  second.answer({ kind: 'booked' })
  await settledOnce(functions, keys)
  assert.equal(crash(), undefined)
})

test('a payment that we have taken again is held, although the reply to its release comes late', async t => {
  const { keys, functions } = await isolate()
  // The first release is carried out, but its reply is lost; the take that follows gets its own.
  let releaseCount = 0
  const release: Functions['release'] = async refused => {
    const freed = await functions.release(refused)
    releaseCount += 1
    if (releaseCount === 1) throw new Error('Command timed out')
    return freed
  }
  const { loop, attempts, arrive } = startLoop(t, { ...functions, release })
  await functions.accept([newPayment()], 10)
  const first = await eventually('it is sent', () => attempts[0])
  // So that it is taken again at another time than before.
  await eventually('the clock moves on', () => Date.now() > first.requestedAtMs)
  // Both together, so that one exchange with Redis releases and takes.
  arrive()
  first.answer({ kind: 'not-booked', reason: 'status 500' })
  const second = await eventually('it is sent again', () => attempts[1])
  const entryId = required((await functions.pending('me', 1))[0])
  await eventually('the release is repeated', () => releaseCount === 2)
  await setImmediate()
  assert(loop.hasInHand(entryId), 'an attempt is under way')
  second.answer({ kind: 'booked' })
  await settledOnce(functions, keys)
})
