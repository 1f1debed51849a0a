// Goal: whatever happens to Redis, a payment that got a 2xx is kept and paid once; when Redis is full, clients are told
// and the queue drains.
// Method: the real pipeline; Redis is killed under load, filled, blocked, and loses its functions.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { eventually, PATIENCE_MS, STUCK_AFTER_MS } from '../support/eventually.ts'
import { ownerOf } from '../support/owner.ts'
import { createRandom } from '../support/random.ts'
import { startFaultStack } from './harness.ts'
import { keepBusy } from './inject.ts'
import { assertSettlesAndAddsUp } from './invariants.ts'
import { createTraffic } from './traffic.ts'

describe('Redis', { timeout: STUCK_AFTER_MS }, () => {
  it('keeps every accepted payment when it is killed under load', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, { monitors: 0 })
    const traffic = createTraffic(own, fault.stack.url, 1)
    // With everysec it answers before it writes while an fsync is under way.
    assert.deepEqual(await fault.redis.config('GET', 'appendfsync'), ['appendfsync', 'always'])
    traffic.start(400)
    for (let round = 0; round < 4; round++) {
      const acceptedBefore = traffic.accepted.size
      await eventually('payments flow', PATIENCE_MS, () => traffic.accepted.size > acceptedBefore + 150)
      await fault.kill('redis')
      await fault.stack.part('redis').start()
      // In the middle of a rewrite of its log, too.
      if (round === 1)
        await eventually('the log is being rewritten', PATIENCE_MS, () => fault.redis.call('BGREWRITEAOF'))
    }
    await traffic.acceptedAgain(performance.now())
    await traffic.stop()
    await assertSettlesAndAddsUp(fault, traffic)
  })

  it('refuses payments when it is full, drains, and takes them again', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own)
    const { stack, admins, redis, keys } = fault
    const traffic = createTraffic(own, stack.url, 2)
    for (const admin of Object.values(admins)) await admin.setFailing(true)
    await traffic.burst(300, 50)
    await redis.config('SET', 'maxmemory', '1')

    const body = JSON.stringify({ correlationId: createRandom(2, 'id').uuid(), amount: 1 })
    const headers = { 'content-type': 'application/json' }
    const refused = await fetch(`${stack.url}/payments`, { method: 'POST', headers, body })
    assert.equal(refused.status, 503)
    assert.equal(refused.headers.get('retry-after'), '1')
    assert.match(await refused.text(), /out of memory/)

    // Whoever starts now must be able to help.
    for (const name of ['worker-1', 'gateway-1', 'monitor-1']) {
      await fault.kill(name)
      await stack.part(name).start()
    }
    assert.equal(await redis.xlen(keys.queue), 300)
    for (const admin of Object.values(admins)) await admin.setFailing(false)
    await assertSettlesAndAddsUp(fault, traffic)

    await redis.config('SET', 'maxmemory', '0')
    await traffic.burst(100, 10)
    assert.deepEqual(traffic.errors, {})
    await assertSettlesAndAddsUp(fault, traffic)
  })

  it('may lose its functions and be kept busy meanwhile', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, { workers: 2 })
    const traffic = createTraffic(own, fault.stack.url, 3)
    traffic.start(300)
    for (let round = 0; round < 3; round++) {
      const acceptedBefore = traffic.accepted.size
      await fault.redis.call('FUNCTION', 'FLUSH')
      await keepBusy(fault.redis, 500)
      // More than what has piled up, so that everybody has loaded the functions before they are lost again.
      await eventually('many more are accepted', PATIENCE_MS, () => traffic.accepted.size > acceptedBefore + 300)
    }
    await traffic.stop()
    assert.deepEqual(traffic.errors, {}, 'half a second is within what gateways wait')
    await assertSettlesAndAddsUp(fault, traffic)
  })

  it('may be paused for longer than workers need to take each other for dead', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, { workers: 2 })
    const traffic = createTraffic(own, fault.stack.url, 4)
    await fault.admins.default.setDelay(200)
    traffic.start(300)
    for (let round = 0; round < 3; round++) {
      await traffic.acceptedAgain(performance.now())
      const redis = fault.stack.part('redis')
      redis.kill('SIGSTOP')
      const pausedAtMs = performance.now()
      await eventually('it was paused for 1.2 s', PATIENCE_MS, () => performance.now() - pausedAtMs > 1_200)
      redis.kill('SIGCONT')
    }
    await traffic.acceptedAgain(performance.now())
    await traffic.stop()
    await assertSettlesAndAddsUp(fault, traffic)
  })
})
