// Goal: whatever the clock of Redis does, no id is accepted twice, a dead worker is noticed, and a payment is told for
// what it is. Method: the real pipeline on a redis-server whose clock is moved back over the border of a period of ids,
// and forward again.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { eventually, STUCK_AFTER_MS } from '../support/eventually.ts'
import { createMovableClock } from '../support/movable-clock.ts'
import { ownerOf } from '../support/owner.ts'
import { createRandom } from '../support/random.ts'
import type { FaultStackOptions } from './harness.ts'
import { startScene } from './scene.ts'

const HOUR_MS = 3_600_000

async function start(test: Parameters<typeof ownerOf>[0], options: FaultStackOptions = {}) {
  const own = ownerOf(test)
  const directory = own(await mkdtemp(join(tmpdir(), 'clock-')), made => rm(made, { recursive: true, force: true }))
  const clock = createMovableClock(directory)
  const environment = { ...options.environment, redis: clock.environment, gateway: { ID_RETENTION_HOURS: '1' } }
  const scene = await startScene(test, { monitors: 1, ...options, directory, environment })
  const pay = async (id: string) => ((await scene.traffic.pay(id, 1_990)) as { status: number }).status
  return { ...scene, clock, pay }
}

describe('a clock that steps back', { timeout: STUCK_AFTER_MS }, () => {
  it('lets no id be accepted twice, whichever periods lie between', async t => {
    const { traffic, clock, pay, untilSettled, assertAddsUp } = await start(t)
    const random = createRandom(3, 'ids')
    const ids = Array.from({ length: 40 }, () => random.uuid())
    const payAll = async (expected: number) => {
      for (const id of ids) assert.equal(await pay(id), expected)
    }
    await payAll(202)
    await untilSettled()
    // Back over borders and forth again. Half an hour ahead is less than what the shortest retention remembers.
    for (const hours of [-1, -30, -2, 0.5, -0.5, 0]) {
      clock.set(hours * HOUR_MS)
      await payAll(200)
      await traffic.burst(5, 5)
      await untilSettled()
    }
    assert.equal((await assertAddsUp()).length, 40 + 30)
  })

  it('does not hide a dead worker, whose payments are taken over at once', async t => {
    const environment = { worker: { PROCESSOR_TIMEOUT_MS: '60000' } }
    const { traffic, clock, kill, stack, admins, status, assertAddsUp } = await start(t, { workers: 2, environment })
    await kill('worker-2')
    await admins.default.setHolding(true)
    await traffic.burst(20, 20)
    await admins.default.until(({ running }) => running === 20)
    await stack.part('worker-2').start()
    clock.set(-HOUR_MS)
    await kill('worker-1')
    await admins.default.setHolding(false)
    const killedAtMs = performance.now()
    assert.equal((await assertAddsUp()).length, 20)
    assert(performance.now() - killedAtMs < HOUR_MS / 100, 'long before the clock has caught up')
    await eventually('nobody is told as silent for ever', async () =>
      (await status()).workers.every(({ isAlive }) => isAlive)
    )
  })

  it('does not make a dead letter one that is settled, nor a payment wait for ever for a default that fails', async t => {
    const environment = { worker: { FALLBACK_AFTER_MS: '300', FALLBACK_WAIT_MS: '300' } }
    const { stack, traffic, clock, admins, redis, keys, pay, untilSettled, assertAddsUp } = await start(t, {
      environment
    })
    const id = createRandom(4, 'ids').uuid()
    await traffic.burst(5, 5)
    await untilSettled()
    clock.set(-HOUR_MS)
    for (const admin of Object.values(admins)) await admin.setFaults([{ kind: 'status', status: 400, next: 1 }])
    assert.equal(await pay(id), 202)
    await eventually('it is a dead letter', async () => (await redis.xlen(keys.deadLetters)) === 1)
    const told = (await (await fetch(`${stack.url}/payments/${id}`)).json()) as { status: string }
    assert.equal(told.status, 'dead-letter')

    await admins.default.setFailing(true)
    await traffic.burst(20, 20)
    await assertAddsUp(1)
    assert((await admins.fallback.state()).bookings > 0)
  })

  it("does not stop the polls of the processors' health", async t => {
    const { clock, redis, keys } = await start(t)
    const checkedAt = () => redis.hget(keys.health('default'), 'checkedAt')
    const before = await eventually('a poll is published', checkedAt)
    clock.set(-HOUR_MS)
    await eventually('another one is', async () => ((await checkedAt()) ?? '') > before)
  })
})
