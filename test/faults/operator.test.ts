// Goal: what an operator does by hand, or by a setting, breaks no promise to anybody else.
// Method: the real pipeline; entries that are no payments are put into the queue, entries and records are taken away,
// retentions are changed, totals are overwritten, and books are purged under load.
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { PROCESSOR_NAMES } from '../../shared/payment.ts'
import { cellsOf } from '../../shared/totals.ts'
import { eventually, STUCK_AFTER_MS } from '../support/eventually.ts'
import { createRandom } from '../support/random.ts'
import { startService } from '../support/service.ts'
import { startScene } from './scene.ts'

const UUID = createRandom(9, 'ids').uuid()
/** No payments, and why. */
const MALFORMED: [string[], RegExp][] = [
  [['foo', 'bar'], /wants the fields/],
  [['correlationId', UUID], /wants the fields/],
  [['correlationId', UUID, 'cents', '1990', 'more', '1'], /wants the fields/],
  [['cents', '1990', 'correlationId', UUID], /wants the fields/],
  [['correlationId', 'no-uuid', 'cents', '1990'], /no UUID/],
  [['correlationId', UUID.toUpperCase().replace(/^./, 'A'), 'cents', '1990'], /no UUID/],
  ...['12.5', '0', '-1', '01', '1e3', '', '100000000001'].map((cents): [string[], RegExp] => [
    ['correlationId', UUID, 'cents', cents],
    /cents is no whole number/
  ])
]

const shared = await startScene({ after })

describe('entries of the queue that are no payments', { timeout: STUCK_AFTER_MS }, () => {
  it('go to the dead letters with their fields and the reason, told once, and every neighbour is settled', async t => {
    const { redis, keys, kill, stack, traffic, logOf, untilTold, assertAddsUp } = shared
    const before = { booked: traffic.accepted.size, logged: logOf('worker-1').length }
    t.after(() => redis.del(keys.deadLetters))
    // Before there is a worker, so that they lie on one page.
    await kill('worker-1')
    await traffic.burst(20, 1)
    for (const [fields] of MALFORMED) await redis.xadd(keys.queue, '*', ...fields)
    await traffic.burst(20, 1)
    await stack.part('worker-1').start()
    assert.equal((await assertAddsUp(MALFORMED.length)).length, before.booked + 40)

    const letters = await redis.xrange(keys.deadLetters, '-', '+')
    for (const [index, [fields, reason]] of MALFORMED.entries()) {
      const [, , name, text = '', , why = ''] = letters[index]?.[1] ?? []
      assert.equal(name, 'fields')
      assert.deepEqual(JSON.parse(text), fields)
      assert.match(why, reason)
    }
    await untilTold(new RegExp(`^${MALFORMED.length} dead letters wait`))
    await stack.part('worker-1').stop()
    const lines = logOf('worker-1').slice(before.logged)
    const told = lines.filter(({ msg }) => msg.startsWith('an entry of the queue is no payment'))
    assert(told.length <= 2 && told.every(({ level }) => level === 50))
    const toldCount = told.reduce((sum, { count }) => sum + Number(count), 0)
    assert.equal(toldCount, MALFORMED.length)
    await stack.part('worker-1').start()
  })

  it('do so as well where a worker of version 0.1 died over them, and what it left without a record is free', async t => {
    const { redis, keys, kill, stack, admins, traffic, assertAddsUp } = shared
    const before = { booked: traffic.accepted.size, atFallback: (await admins.fallback.state()).answered }
    t.after(() => redis.del(keys.deadLetters))
    await kill('worker-1')
    await traffic.burst(10, 1)
    const bad = (await redis.xadd(keys.queue, '*', 'foo', 'bar')) ?? ''
    const deleted = (await redis.xadd(keys.queue, '*', 'foo', 'baz')) ?? ''
    await traffic.burst(10, 1)
    // It recorded half of the page and died before it sent any of it; then somebody deleted one of the entries.
    await redis.call('XREADGROUP', 'GROUP', 'workers', 'worker-0-dead', 'COUNT', 100, 'STREAMS', keys.queue, '>')
    const pending = (await redis.xpending(keys.queue, 'workers', '-', '+', 100, 'worker-0-dead')) as [string][]
    assert.equal(pending.length, 22)
    await redis.xdel(keys.queue, deleted)
    for (const [entryId] of pending.slice(0, 11))
      await redis.hset(keys.inFlight, entryId, `default ${new Date().toISOString()} worker-0-dead`)
    await redis.zadd(keys.workers, 1, 'worker-0-dead')
    assert.equal(pending[10]?.[0], bad)
    await stack.part('worker-1').start()
    assert.equal((await assertAddsUp(1)).length, before.booked + 20)
    assert.deepEqual((await admins.fallback.state()).answered, before.atFallback)
    assert.equal(await redis.zscore(keys.workers, 'worker-0-dead'), null)
  })
})

describe('a heartbeat that fails', { timeout: STUCK_AFTER_MS }, () => {
  it('is told once by the log and as long as it lasts by the status', async () => {
    const { redis, logOf, untilTold } = shared
    const told = () =>
      logOf('worker-1')
        .filter(({ msg }) => msg.startsWith('heartbeat'))
        .map(({ level, msg }) => `${level} ${msg}`)
    assert.deepEqual(told(), [])
    await redis.call('ACL', 'SETUSER', 'default', '-xinfo')
    await untilTold(/heartbeat.*can't run this command/)
    await redis.call('ACL', 'SETUSER', 'default', '+xinfo')
    await untilTold(/heartbeat/, false)
    await eventually('the log tells the end', () => told().length > 1)
    assert.deepEqual(told(), ['50 heartbeat failed', '40 heartbeat works again'])
  })
})

describe('a worker that died idle', { timeout: STUCK_AFTER_MS }, () => {
  it('is forgotten, also after a purge', async t => {
    const environment = { gateway: { PURGE: 'open' } }
    const { redis, keys, kill, stack, untilTold } = await startScene(t, { workers: 2, environment })
    await kill('worker-2')
    await fetch(`${stack.url}/purge-payments`, { method: 'POST' })
    await eventually('only one is left', async () => (await redis.zcard(keys.workers)) === 1)
    await untilTold(/worker-2/, false)
  })
})

describe('a retention that is changed', { timeout: STUCK_AFTER_MS }, () => {
  it('forgets no id, after a restart on the same data and beside a gateway that was not restarted', async t => {
    const { redis, keys, stack, directory, traffic, status, assertAddsUp } = await startScene(t)
    const random = createRandom(3, 'retention')
    const ids = Array.from({ length: 40 }, () => random.uuid())
    const pay = async (id: string) => ((await traffic.pay(id, 1_990)) as { status: number }).status
    for (const id of ids) assert.equal(await pay(id), 202)
    await assertAddsUp()

    await stack.part('gateway-2').stop()
    const changed = startService('gateway', {
      REDIS_URL: `unix:${stack.redisPath}`,
      LISTEN: `unix:${directory}/gateway-2.sock`,
      NAME: 'changed',
      ID_RETENTION_HOURS: '1'
    })
    await changed.untilLogged('ready')
    await eventually('both gateways run', async () =>
      (await status()).gateways.some(({ label, isAlive }) => isAlive && label === 'changed')
    )
    /** 503 as long as HAProxy has not found out who is there. */
    const isDuplicate = async (id: string) => {
      const answered = async () => [await pay(id)].find(code => code !== 503)
      return (await eventually('a gateway answers', answered)) === 200
    }
    // Both get some of them, and at the end only the changed one.
    for (const id of ids) assert(await isDuplicate(id))
    await stack.part('gateway-1').stop()
    for (const id of ids) assert(await isDuplicate(id))
    await traffic.burst(10, 10)
    assert.equal((await assertAddsUp()).length, 50)
    assert.equal(await redis.hlen(keys.idPeriods), 1)
  })
})

describe('totals that somebody has overwritten', { timeout: STUCK_AFTER_MS }, () => {
  it('keep only the payments from being counted that would be added there, until they are as they should be', async () => {
    const { redis, keys, traffic, untilTold, assertAddsUp } = shared
    const [year = '', month = ''] = new Date().toISOString().split('-')
    const node = keys.totals('default', 'cents', year)
    const field = String(Number(month))
    for (const broken of ['not a number', '9223372036854775807']) {
      await traffic.burst(10, 10)
      const { length: booked } = await assertAddsUp()
      const before = (await redis.hget(node, field)) ?? ''
      await redis.hset(node, field, broken)
      await traffic.burst(5, 5)
      await untilTold(/settle.*TOTALS/)
      // Nothing was counted by half, and nothing was lost.
      assert.equal(await redis.hget(node, field), broken)
      assert.equal(await redis.hlen(keys.inFlight), 5)
      assert.equal((await redis.hvals(keys.totals('default', 'requests', ''))).join(), String(booked))
      await redis.hset(node, field, before)
      assert.equal((await assertAddsUp()).length, booked + 5)
    }
  })
})

describe('a purge under load', { timeout: STUCK_AFTER_MS }, () => {
  it('leaves totals that add up on each level', async t => {
    const environment = { gateway: { PURGE: 'open' } }
    const { redis, keys, stack, traffic } = await startScene(t, { environment })
    traffic.start(400)
    const flow = async () => {
      const acceptedCount = traffic.accepted.size
      await eventually('payments flow', () => traffic.accepted.size > acceptedCount + 60)
    }
    // Books that take a while to empty: a payment in each minute of the hours before.
    const fill = async () => {
      const batch = redis.pipeline()
      for (let minute = 0; minute < 1_000; minute++) {
        for (const { window, field } of cellsOf(Date.now() - 7_200_000 - minute * 60_000)) {
          for (const measure of ['requests', 'cents'] as const)
            batch.hincrby(keys.totals('default', measure, window), String(field), 1)
        }
      }
      await batch.exec()
    }
    for (let round = 0; round < 8; round++) {
      await fill()
      await flow()
      assert.equal((await fetch(`${stack.url}/purge-payments`, { method: 'POST' })).status, 200)
    }
    await flow()
    await traffic.stop()
    const underWay = async () => (await redis.xlen(keys.queue)) + (await redis.hlen(keys.inFlight))
    await eventually('the queue is empty', async () => (await underWay()) === 0)
    const total = (numbers: readonly unknown[]) => numbers.reduce<number>((sum, value) => sum + Number(value), 0)
    let sumCount = 0
    for (const name of PROCESSOR_NAMES) {
      for (const measure of ['requests', 'cents'] as const) {
        const root = keys.totals(name, measure, '')
        const all = total(await redis.hvals(root))
        sumCount += all
        const nodes = await redis.keys(`${root}:*`)
        for (const length of [4, 7, 10, 13, 16, 18]) {
          const level = nodes.filter(node => node.length === root.length + 1 + length)
          const sums = await Promise.all(level.map(async node => total(await redis.hvals(node))))
          assert.equal(total(sums), all, `${name} ${measure}, names of ${length} characters`)
        }
      }
    }
    assert(sumCount > 0)
  })
})
