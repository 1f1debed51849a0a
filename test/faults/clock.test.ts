// Goal: whatever the clock of Redis does, no id is accepted twice, a dead worker is noticed, and a payment is told for
// what it is. Method: the real pipeline on a redis-server whose clock is moved back over the border of a period of ids,
// and forward again.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { eventually, PATIENCE_MS, STUCK_AFTER_MS } from '../support/eventually.ts'
import { createMovableClock } from '../support/movable-clock.ts'
import { ownerOf, type Own } from '../support/owner.ts'
import { createRandom } from '../support/random.ts'
import { startFaultStack, type FaultStackOptions } from './harness.ts'
import { assertSettlesAndAddsUp } from './invariants.ts'
import { createTraffic } from './traffic.ts'

const HOUR_MS = 3_600_000

async function start(own: Own, options: FaultStackOptions = {}) {
  const directory = own(await mkdtemp(join(tmpdir(), 'clock-')), made => rm(made, { recursive: true, force: true }))
  const clock = createMovableClock(directory)
  const environment = {
    ...options.environment,
    redis: clock.environment,
    gateway: { ID_RETENTION_HOURS: '1', ...options.environment?.gateway }
  }
  const fault = await startFaultStack(own, { ...options, directory, environment })
  const traffic = createTraffic(own, fault.stack.url, 1)
  const post = async (correlationId: string, amount: number) => {
    const body = JSON.stringify({ correlationId, amount })
    return (
      await fetch(`${fault.stack.url}/payments`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body
      })
    ).status
  }
  const tell = async (correlationId: string) =>
    ((await (await fetch(`${fault.stack.url}/payments/${correlationId}`)).json()) as { status: string }).status
  return { fault, traffic, clock, post, tell, ...fault }
}

describe('a clock that steps back', { timeout: STUCK_AFTER_MS }, () => {
  it('lets no id be accepted twice, whichever periods lie between', async t => {
    const { fault, traffic, clock, redis, keys, post } = await start(ownerOf(t))
    const random = createRandom(3, 'ids')
    const ids = Array.from({ length: 40 }, () => random.uuid())
    const settled = () => eventually('all are settled', PATIENCE_MS, async () => (await redis.xlen(keys.queue)) === 0)
    const payAll = async (expected: number) => {
      for (const id of ids) assert.equal(await post(id, 19.9), expected)
    }
    await payAll(202)
    await settled()
    // Back over borders and forth again. Half an hour ahead is less than what the shortest retention remembers.
    for (const hours of [-1, -30, -2, 0.5, -0.5, 0]) {
      clock.set(hours * HOUR_MS)
      await payAll(200)
      await traffic.burst(5, 5)
      await settled()
    }
    const bookings = await assertSettlesAndAddsUp(fault, {
      ...traffic,
      accepted: new Set([...traffic.accepted, ...ids]),
      sent: new Map([...traffic.sent, ...ids.map(id => [id, 1_990] as const)])
    })
    assert.equal(bookings.length, 40 + 30)
  })

  it('does not hide a dead worker, whose payments are taken over at once', async t => {
    const { fault, traffic, clock, kill, stack, admins } = await start(ownerOf(t), {
      workers: 2,
      environment: { worker: { PROCESSOR_TIMEOUT_MS: '60000' } }
    })
    await kill('worker-2')
    await admins.default.setHolding(true)
    await traffic.burst(20, 20)
    await admins.default.until(({ running }) => running === 20)
    await stack.part('worker-2').start()
    clock.set(-HOUR_MS)
    await kill('worker-1')
    await admins.default.setHolding(false)
    const killedAtMs = performance.now()
    assert.equal((await assertSettlesAndAddsUp(fault, traffic)).length, 20)
    assert(performance.now() - killedAtMs < HOUR_MS / 100, 'long before the clock has caught up')
    await eventually('nobody is told as silent for ever', PATIENCE_MS, async () => {
      const { workers } = (await (await fetch(`${stack.url}/status`)).json()) as { workers: { isAlive: boolean }[] }
      return workers.every(({ isAlive }) => isAlive)
    })
  })

  it('does not make a dead letter one that is settled, nor a payment wait for ever for a default that fails', async t => {
    const { fault, traffic, clock, admins, redis, keys, post, tell } = await start(ownerOf(t), {
      environment: { worker: { FALLBACK_AFTER_MS: '300', FALLBACK_WAIT_MS: '300' } }
    })
    const id = createRandom(4, 'ids').uuid()
    await traffic.burst(5, 5)
    await eventually('all are settled', PATIENCE_MS, async () => (await redis.xlen(keys.queue)) === 0)
    clock.set(-HOUR_MS)
    for (const admin of Object.values(admins)) await admin.setFaults([{ kind: 'status', status: 400, next: 1 }])
    assert.equal(await post(id, 19.9), 202)
    await eventually('it is a dead letter', PATIENCE_MS, async () => (await redis.xlen(keys.deadLetters)) === 1)
    assert.equal(await tell(id), 'dead-letter')

    await admins.default.setFailing(true)
    await traffic.burst(20, 20)
    await assertSettlesAndAddsUp(
      fault,
      { ...traffic, sent: new Map([...traffic.sent, [id, 1_990]]), accepted: traffic.accepted },
      1
    )
    assert((await admins.fallback.state()).bookings > 0)
  })

  it("does not stop the polls of the processors' health", async t => {
    const { clock, redis, keys } = await start(ownerOf(t), { monitors: 1 })
    const checkedAt = () => redis.hget(keys.health('default'), 'checkedAt')
    const before = await eventually('a poll is published', PATIENCE_MS, checkedAt)
    clock.set(-HOUR_MS)
    await eventually('another one is', PATIENCE_MS, async () => ((await checkedAt()) ?? '') > before)
  })
})
