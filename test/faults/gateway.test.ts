// Goal: the death or restart of a gateway costs no client an error and no payment its life; the same id twice is one
// payment, however it comes.
// Method: the real pipeline under load through HAProxy; gateways are killed and restarted in turns.
import assert from 'node:assert/strict'
import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Pool } from 'undici'
import { eventually } from '../support/eventually.ts'
import { ownerOf } from '../support/owner.ts'
import { createRandom } from '../support/random.ts'
import { startFaultStack } from './harness.ts'
import { assertSettlesAndAddsUp } from './invariants.ts'
import { createTraffic } from './traffic.ts'

const GATEWAYS = ['gateway-1', 'gateway-2', 'gateway-1', 'gateway-2']

describe('a gateway under load', { timeout: 60_000 }, () => {
  it('costs no client an error when it is killed, restarted, or paused', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, { monitors: 0 })
    const traffic = createTraffic(own, fault.stack.url, 1)
    const { stack } = fault
    traffic.start(800)

    /** Until HAProxy uses it again, since the next fault is for the other one. */
    const isBack = async (name: string) => {
      const sinceMs = performance.now()
      await stack.part(name).start()
      await traffic.acceptedAgain(sinceMs)
      await eventually('HAProxy sends requests to it', 5_000, () => socketCount(stack.part(name).pid ?? 0) > 2)
    }
    const errorsAfter: Record<string, unknown> = {}
    for (const name of GATEWAYS) {
      await fault.kill(name)
      await isBack(name)
    }
    errorsAfter.SIGKILL = { ...traffic.errors }
    for (const name of GATEWAYS) {
      assert.deepEqual(await stack.part(name).stop(), { code: 0, signal: null })
      await isBack(name)
    }
    errorsAfter.SIGTERM = { ...traffic.errors }
    for (const name of GATEWAYS.slice(0, 2)) {
      stack.part(name).kill('SIGSTOP')
      // Longer than the health checks need to find out.
      const pausedAtMs = performance.now()
      await eventually('it was paused for 1.5 s', 3_000, () => performance.now() - pausedAtMs > 1_500)
      stack.part(name).kill('SIGCONT')
    }
    errorsAfter.SIGSTOP = { ...traffic.errors }
    await traffic.stop()
    assert.deepEqual(errorsAfter, { SIGKILL: {}, SIGTERM: {}, SIGSTOP: {} })
    assert(traffic.sent.size > 1_000)
    await assertSettlesAndAddsUp(fault, traffic)
  })

  it('goes on when its connection to Redis breaks, whatever is under way on it', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, { monitors: 0, environment: { gateway: { REDIS_TIMEOUT_MS: '300' } } })
    const traffic = createTraffic(own, fault.stack.url, 2)
    traffic.start(300)
    for (const broken of ['lose-reply', 'cut-reply', 'lose-request', 'cut-request', 'go-silent'] as const) {
      await fault.proxies.gateway.next('accept_', broken)
      await traffic.acceptedAgain(performance.now())
    }
    fault.proxies.gateway.cutAll()
    await traffic.acceptedAgain(performance.now())
    await traffic.stop()
    // Everybody who asked again got through: nothing stays broken. The others were told 503, and no worse.
    assert.deepEqual(Object.keys(traffic.errors), ['503 The queue can not be reached'])
    await assertSettlesAndAddsUp(fault, traffic)
  })
})

describe('the same id', { timeout: 60_000 }, () => {
  it('sent at the same time through both gateways is one payment, and a conflict with another amount', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, { monitors: 0 })
    const traffic = createTraffic(own, fault.stack.url, 3)
    const random = createRandom(3, 'ids')
    const gateways = ['gateway-1', 'gateway-2'].map(name => {
      const socketPath = join(fault.directory, `${name}.sock`)
      return own(new Pool('http://gateway', { socketPath, connections: 20 }), pool => pool.destroy())
    })
    const post = async (gateway: Pool | undefined, correlationId: string, amount: number) => {
      const body = JSON.stringify({ correlationId, amount })
      const headers = { 'content-type': 'application/json' }
      const reply = await gateway?.request({ path: '/payments', method: 'POST', headers, body })
      await reply?.body.dump()
      return reply?.statusCode
    }

    const sent = new Map<string, number>()
    for (let round = 0; round < 20; round++) {
      const ids = Array.from({ length: 10 }, () => random.uuid())
      await Promise.all(ids.map(async id => {
        sent.set(id, 1_990)
        // Upper case is the same id.
        const statuses = await Promise.all([post(gateways[0], id, 19.9), post(gateways[1], id.toUpperCase(), 19.9)])
        assert.deepEqual(statuses.sort(), [200, 202])
        assert.deepEqual(await Promise.all(gateways.map(gateway => post(gateway, id, 19.91))), [409, 409])
      }))
    }
    const bookings = await assertSettlesAndAddsUp(fault, { ...traffic, sent, accepted: new Set(sent.keys()) })
    assert.equal(bookings.length, 200)
  })
})

/** A gateway that HAProxy uses has more sockets than the one that it listens on and its own to Redis. */
function socketCount(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter(fd => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:')
    } catch {
      // Closed since it was listed.
      return false
    }
  }).length
}
