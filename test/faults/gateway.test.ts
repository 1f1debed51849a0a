// Goal: the death or restart of a gateway costs no client an error and no payment its life; the same id twice is one
// payment, however it comes.
// Method: the real pipeline under load through HAProxy; gateways are killed and restarted in turns.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Pool } from 'undici'
import { eventually, PATIENCE_MS, STUCK_AFTER_MS } from '../support/eventually.ts'
import { createRandom } from '../support/random.ts'
import { assertSettlesAndAddsUp } from './invariants.ts'
import { startScene } from './scene.ts'

const GATEWAYS = ['gateway-1', 'gateway-2', 'gateway-1', 'gateway-2']

describe('a gateway under load', { timeout: STUCK_AFTER_MS }, () => {
  it('costs no client an error when it is killed, restarted, or paused', async t => {
    const { traffic, stack, kill, assertAddsUp } = await startScene(t)
    traffic.start(400)

    /** Until HAProxy uses it again, since the next fault is for the other one. */
    const isBack = async (name: string) => {
      await traffic.acceptedAgain(performance.now())
      await eventually('HAProxy sends requests to it', () => !isDown(stack.part('haproxy').logPath, name))
    }
    const errorsAfter: Record<string, unknown> = {}
    for (const name of GATEWAYS) {
      await kill(name)
      await stack.part(name).start()
      await isBack(name)
    }
    errorsAfter.SIGKILL = { ...traffic.errors }
    for (const name of GATEWAYS) {
      assert.deepEqual(await stack.part(name).stop(PATIENCE_MS), { code: 0, signal: null })
      await stack.part(name).start()
      await isBack(name)
    }
    errorsAfter.SIGTERM = { ...traffic.errors }
    for (const name of GATEWAYS.slice(0, 2)) {
      stack.part(name).kill('SIGSTOP')
      // Longer than the health checks need to find out.
      const pausedAtMs = performance.now()
      await eventually('it was paused for 1.5 s', () => performance.now() - pausedAtMs > 1_500)
      stack.part(name).kill('SIGCONT')
      await isBack(name)
    }
    await eventually('many were sent', () => traffic.sent.size > 1_000)
    await traffic.stop()
    errorsAfter.SIGSTOP = { ...traffic.errors }
    assert.deepEqual(errorsAfter, { SIGKILL: {}, SIGTERM: {}, SIGSTOP: {} })
    await assertAddsUp()
  })

  it('goes on when its connection to Redis breaks, whatever is under way on it', async t => {
    const environment = { gateway: { REDIS_TIMEOUT_MS: '1000' } }
    const { traffic, proxies, assertAddsUp } = await startScene(t, { environment })
    const unreachableCount = () => traffic.errors['503 The queue cannot be reached'] ?? 0
    traffic.start(300)
    for (const broken of ['lose-reply', 'cut-reply', 'lose-request', 'cut-request', 'go-silent'] as const) {
      const countBefore = unreachableCount()
      await proxies.gateway.next('accept_', broken)
      await eventually('a client is told', () => unreachableCount() > countBefore)
      await traffic.acceptedAgain(performance.now())
    }
    proxies.gateway.cutAll()
    await traffic.acceptedAgain(performance.now())
    await traffic.stop()
    // Everybody who asked again got through: nothing stays broken. The others were told 503, and no worse: by HAProxy
    // when a busy machine lets it find both gateways without Redis.
    const honest = ['503 The queue cannot be reached', '503 No gateway is up']
    const others = Object.keys(traffic.errors).filter(name => !honest.includes(name))
    assert.deepEqual(others, [])
    await assertAddsUp()
  })
})

describe('the same id', { timeout: STUCK_AFTER_MS }, () => {
  it('sent at the same time through both gateways is one payment, and a conflict with another amount', async t => {
    const scene = await startScene(t)
    const random = createRandom(3, 'ids')
    const gateways = ['gateway-1', 'gateway-2'].map(name => {
      const socketPath = join(scene.directory, `${name}.sock`)
      return scene.own(new Pool('http://gateway', { socketPath, connections: 20 }), pool => pool.destroy())
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
      await Promise.all(
        ids.map(async id => {
          sent.set(id, 1_990)
          // Upper case is the same id.
          const statuses = await Promise.all([post(gateways[0], id, 19.9), post(gateways[1], id.toUpperCase(), 19.9)])
          assert.deepEqual(statuses.sort(), [200, 202])
          assert.deepEqual(await Promise.all(gateways.map(gateway => post(gateway, id, 19.91))), [409, 409])
        })
      )
    }
    const bookings = await assertSettlesAndAddsUp(scene, { sent, accepted: new Set(sent.keys()) })
    assert.equal(bookings.length, 200)
  })
})

/** Whether HAProxy has found out that a gateway does not answer, and not yet that it does again. */
function isDown(haproxyLogPath: string, name: string): boolean {
  const states = readFileSync(haproxyLogPath, 'utf8').matchAll(new RegExp(`gateways/${name} is (UP|DOWN)`, 'g'))
  return [...states].at(-1)?.[1] === 'DOWN'
}
