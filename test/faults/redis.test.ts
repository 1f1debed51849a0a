// Goal: whatever happens to Redis, a payment that got a 2xx is kept and paid once; when Redis is away or full, clients
// are told, in time, and the queue drains.
// Method: the real pipeline; Redis is killed under load, filled, blocked, frozen, and loses its functions.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { eventually, STUCK_AFTER_MS } from '../support/eventually.ts'
import { createRandom } from '../support/random.ts'
import { keepBusy } from './inject.ts'
import { startScene, type Scene } from './scene.ts'

const REDIS_TIMEOUT_MS = 2_000
/** A loaded machine may take this much longer to tell of it; HAProxy would give up on a gateway after 10 s. */
const LATE_MAX_MS = 7_000

const post = ({ stack }: Scene, correlationId: string) => {
  const body = JSON.stringify({ correlationId, amount: 1 })
  return fetch(`${stack.url}/payments`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
}

async function assertUnavailable(answer: Response, detail: RegExp): Promise<void> {
  const { headers } = answer
  assert.deepEqual(
    [answer.status, headers.get('content-type'), headers.get('retry-after')],
    [503, 'application/problem+json', '1']
  )
  const { detail: told, ...problem } = (await answer.json()) as Record<string, unknown>
  assert.deepEqual(problem, { type: 'about:blank', title: 'Service Unavailable', status: 503 })
  assert.match(String(told), detail)
}

describe('Redis', { timeout: STUCK_AFTER_MS }, () => {
  it('keeps every accepted payment when it is killed under load', async t => {
    const { traffic, redis, admins, kill, stack, assertAddsUp } = await startScene(t)
    // With everysec it answers before it writes while an fsync is under way.
    assert.deepEqual(await redis.config('GET', 'appendfsync'), ['appendfsync', 'always'])
    traffic.start(400)
    for (let round = 0; round < 4; round++) {
      const acceptedBefore = traffic.accepted.size
      await eventually('payments flow', () => traffic.accepted.size > acceptedBefore + 150)
      // The answers of some that are in flight come when there is no Redis.
      await admins.default.setHolding(true)
      await admins.default.until(({ running }) => running > 0)
      await kill('redis')
      await admins.default.setHolding(false)
      await stack.part('redis').start()
      // In the middle of a rewrite of its log, too.
      if (round === 1) await eventually('the log is being rewritten', () => redis.call('BGREWRITEAOF'))
    }
    await traffic.acceptedAgain(performance.now())
    await traffic.stop()
    await assertAddsUp()
  })

  it('has everybody told within the time-out while it is frozen, and may take what it was sent', async t => {
    const scene = await startScene(t, { environment: { gateway: { REDIS_TIMEOUT_MS: String(REDIS_TIMEOUT_MS) } } })
    const { stack, traffic, assertAddsUp } = scene
    const { url } = stack
    const id = createRandom(1, 'frozen').uuid()
    await traffic.burst(50, 50)
    // A gateway's own question after Redis, for a check by HAProxy, may be what finds out, so the time counts from
    // here.
    const frozenAtMs = performance.now()
    stack.part('redis').kill('SIGSTOP')
    await assertUnavailable(await post(scene, id), /may have been kept/)
    const waitedMs = performance.now() - frozenAtMs
    assert(waitedMs >= REDIS_TIMEOUT_MS - 50 && waitedMs < REDIS_TIMEOUT_MS + LATE_MAX_MS, `${waitedMs} ms`)

    const health = () => Promise.all(Array.from({ length: 10 }, () => fetch(`${url}/health`)))
    await eventually('no gateway is healthy', async () => (await health()).every(({ ok }) => !ok))
    const askedAtMs = performance.now()
    const questions = ['/payments-summary', `/payments/${id}`, '/health'].map(path => fetch(url + path))
    const payments = Array.from({ length: 20 }, (_, index) => post(scene, createRandom(index, 'refused').uuid()))
    for (const answer of await Promise.all([...questions, ...payments])) await assertUnavailable(answer, /^\w.*\.$/)
    const tookMs = performance.now() - askedAtMs
    assert(tookMs < REDIS_TIMEOUT_MS + LATE_MAX_MS, `${tookMs} ms`)

    stack.part('redis').kill('SIGCONT')
    await eventually('all are healthy again', async () => (await health()).every(({ ok }) => ok))
    // Whether it was kept or not: sent again, it is paid once.
    assert([200, 202].includes(((await traffic.pay(id, 100)) as { status: number }).status))
    for (let index = 0; index < 20; index++) await traffic.pay(createRandom(index, 'refused').uuid(), 100)
    await assertAddsUp()
  })

  it('refuses payments when it is full, drains, and takes them again', async t => {
    const scene = await startScene(t, { monitors: 1 })
    const { stack, admins, traffic, redis, keys, kill, assertAddsUp } = scene
    for (const admin of Object.values(admins)) await admin.setFailing(true)
    await traffic.burst(300, 50)
    await redis.config('SET', 'maxmemory', '1')
    const assertFull = async () => assertUnavailable(await post(scene, createRandom(2, 'id').uuid()), /out of memory/)
    await assertFull()
    // No reason to take the gateways out of the balancer: they still answer everything else.
    for (const path of ['/payments-summary', '/health']) assert.equal((await fetch(stack.url + path)).status, 200)

    // Whoever starts now must be able to help.
    for (const name of ['worker-1', 'gateway-1', 'monitor-1']) {
      await kill(name)
      await stack.part(name).start()
    }
    assert.equal(await redis.xlen(keys.queue), 300)
    for (const admin of Object.values(admins)) await admin.setFailing(false)
    await assertAddsUp()
    await assertFull()

    await redis.config('SET', 'maxmemory', '0')
    await traffic.burst(100, 10)
    assert.deepEqual(traffic.errors, {})
    await assertAddsUp()
  })

  it('may lose its functions and be kept busy meanwhile', async t => {
    const { traffic, redis, assertAddsUp } = await startScene(t, { workers: 2, monitors: 1 })
    traffic.start(300)
    for (let round = 0; round < 3; round++) {
      const acceptedBefore = traffic.accepted.size
      await redis.call('FUNCTION', 'FLUSH')
      await keepBusy(redis, 500)
      // More than what has piled up, so that everybody has loaded the functions before they are lost again.
      await eventually('many more are accepted', () => traffic.accepted.size > acceptedBefore + 300)
    }
    await traffic.stop()
    assert.deepEqual(traffic.errors, {}, 'half a second is within what gateways wait')
    await assertAddsUp()
  })

  it('may be paused for longer than workers need to take each other for dead', async t => {
    const { traffic, stack, admins, assertAddsUp } = await startScene(t, { workers: 2, monitors: 1 })
    await admins.default.setDelay(200)
    traffic.start(300)
    for (let round = 0; round < 3; round++) {
      await traffic.acceptedAgain(performance.now())
      stack.part('redis').kill('SIGSTOP')
      const pausedAtMs = performance.now()
      await eventually('it was paused for 1.2 s', () => performance.now() - pausedAtMs > 1_200)
      stack.part('redis').kill('SIGCONT')
    }
    await traffic.acceptedAgain(performance.now())
    await traffic.stop()
    await assertAddsUp()
  })
})
