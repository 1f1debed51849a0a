// Goal: each payment gets exactly one answer, that of its own place in its batch; and trouble is told once, not once a
// payment. Method: a Redis in the hands of the test.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createIntake, type IntakeResult } from '../../gateway/intake.ts'
import { createTally } from '../../gateway/tally.ts'
import type { Log } from '../../shared/log.ts'
import type { Payment } from '../../shared/payment.ts'
import type { Acceptance } from '../../shared/redis/accepting.ts'
import type { Functions } from '../../shared/redis/functions.ts'
import { countOf } from '../../shared/watching/histogram.ts'
import { newPayments } from '../support/payments.ts'

type Accept = (payments: readonly Payment[]) => Promise<Acceptance[]>

function startIntake(accept: Accept, waitingMax = 10_000) {
  const tally = createTally()
  const logged: string[] = []
  const note = (level: string) => (fields: object, msg: string) =>
    logged.push(`${level} ${msg} ${JSON.stringify(fields)}`)
  const log = { debug: () => undefined, warn: note('warn'), error: note('error') } as unknown as Log
  const functions = { accept } as unknown as Functions
  const intake = createIntake({ functions, limits: { queuedMax: 1, waitingMax }, tally, log })
  /** Submits all in one turn, and counts as who answers the clients does. */
  const submit = async (payments: readonly Payment[]) => {
    const results: IntakeResult[] = []
    for (const payment of payments) {
      intake.submit(payment, result => {
        tally.answers[result.kind] += 1
        results.push(result)
      })
    }
    await intake.drained()
    return results
  }
  return { tally, logged, submit }
}

const all =
  (acceptance: Acceptance): Accept =>
  payments =>
    Promise.resolve(payments.map(() => acceptance))

test('each payment hears what became of it, and of no other', async () => {
  const { submit, tally } = startIntake(() => Promise.resolve(['accepted', 'duplicate', 'conflict', 'full']))
  assert.deepEqual(await submit(newPayments(4)), [
    { kind: 'accepted' },
    { kind: 'duplicate' },
    { kind: 'conflict' },
    { kind: 'refused', reason: 'queue-full' }
  ])
  assert.equal(countOf(tally.latency), 4)
})

test('what comes in one turn goes in one call, of at most 256', async () => {
  const sizes: number[] = []
  const { submit } = startIntake(payments => {
    sizes.push(payments.length)
    return all('accepted')(payments)
  })
  assert.equal((await submit(newPayments(600))).length, 600)
  await submit(newPayments(3))
  assert.deepEqual(sizes, [256, 256, 88, 3])
})

test('more than may wait are refused at once, and are no trouble of Redis', async () => {
  const { submit, tally } = startIntake(all('accepted'), 2)
  const refused = { kind: 'refused', reason: 'too-many-waiting' } as const
  assert.deepEqual(await submit(newPayments(4)), [refused, refused, { kind: 'accepted' }, { kind: 'accepted' }])
  assert.equal(tally.refusing, null)
})

test('trouble is told when it begins and when it ends, with how many it refused', async () => {
  const oom = Object.assign(new Error("OOM command not allowed when used memory > 'maxmemory'."), {
    name: 'ReplyError'
  })
  let accept: Accept = () => Promise.reject(oom)
  const { submit, tally, logged } = startIntake(payments => accept(payments))
  assert.deepEqual(await submit(newPayments(1)), [{ kind: 'refused', reason: 'out-of-memory' }])
  const sinceMs = tally.refusing?.sinceMs
  assert.equal(tally.refusing?.reason, 'The queue is out of memory.')

  accept = () => Promise.reject(new Error('Connection is closed.'))
  assert.deepEqual(await submit(newPayments(1)), [{ kind: 'refused', reason: 'unreachable' }])
  // It is one trouble, whatever Redis says of it.
  assert.equal(tally.refusing.sinceMs, sinceMs)
  assert.match(tally.refusing.reason, /^The queue cannot be reached\. The payment may have been kept/)
  accept = all('full')
  await submit(newPayments(2))
  assert.equal(tally.refusing.reason, 'The queue is full.')
  accept = all('accepted')
  await submit(newPayments(1))

  assert.equal(tally.refusing, null)
  assert.deepEqual(
    logged.map(line => line.replace(/"afterMs":\d+/, '"afterMs":0')),
    [
      'error refusing payments {"reason":"The queue is out of memory."}',
      'warn accepting payments again {"refused":4,"afterMs":0}'
    ]
  )
})
