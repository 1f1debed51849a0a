// Goal: what an operator does by hand, or by a setting, breaks no promise to anybody else.
// Method: the real pipeline; entries that are no payments are put into the queue, entries and records are taken away,
// retentions are changed, totals are overwritten, and books are purged under load.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { PROCESSOR_NAMES } from '../../shared/payment.ts'
import { cellsOf } from '../../shared/totals.ts'
import { eventually, PATIENCE_MS, STUCK_AFTER_MS } from '../support/eventually.ts'
import { ownerOf } from '../support/owner.ts'
import { createRandom } from '../support/random.ts'
import { startService } from '../support/service.ts'
import { startFaultStack, type FaultStack } from './harness.ts'
import { assertSettlesAndAddsUp } from './invariants.ts'
import { createTraffic } from './traffic.ts'

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

type Log = { level: number; msg: string; count?: number; reason?: string }

function logOf({ stack }: FaultStack, part: string): Log[] {
  return readFileSync(stack.part(part).logPath, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Log)
}

async function problemsOf({ stack }: FaultStack): Promise<string[]> {
  return ((await (await fetch(`${stack.url}/status`)).json()) as { problems: string[] }).problems
}

describe('entries of the queue that are no payments', { timeout: STUCK_AFTER_MS }, () => {
  it('go to the dead letters with their fields and the reason, told once, and every neighbour is settled', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, { monitors: 0 })
    const { redis, keys, kill, stack } = fault
    const traffic = createTraffic(own, stack.url, 1)
    // Before there is a worker, so that they lie on one page.
    await kill('worker-1')
    await traffic.burst(20, 1)
    for (const [fields] of MALFORMED) await redis.xadd(keys.queue, '*', ...fields)
    await traffic.burst(20, 1)
    await stack.part('worker-1').start()
    assert.equal((await assertSettlesAndAddsUp(fault, traffic, MALFORMED.length)).length, 40)

    const letters = await redis.xrange(keys.deadLetters, '-', '+')
    for (const [index, [fields, reason]] of MALFORMED.entries()) {
      const [, , name, text = '', , why = ''] = letters[index]?.[1] ?? []
      assert.equal(name, 'fields')
      assert.deepEqual(JSON.parse(text), fields)
      assert.match(why, reason)
    }
    await eventually('the status tells of them', PATIENCE_MS, async () =>
      (await problemsOf(fault)).some(problem => problem.startsWith(`${MALFORMED.length} dead letters wait`))
    )
    await stack.part('worker-1').stop()
    const told = logOf(fault, 'worker-1').filter(({ msg }) => msg.startsWith('an entry of the queue is no payment'))
    assert(told.length <= 2 && told.every(({ level }) => level === 50))
    assert.equal(
      told.reduce((sum, { count = 0 }) => sum + count, 0),
      MALFORMED.length
    )
  })

  it('do so as well where a worker of version 0.1 died over them, and what it left without a record is free', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, { monitors: 0 })
    const { redis, keys, kill, stack, admins } = fault
    const traffic = createTraffic(own, stack.url, 2)
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
    assert.equal((await assertSettlesAndAddsUp(fault, traffic, 1)).length, 20)
    assert.deepEqual((await admins.fallback.state()).answered, {})
    assert.equal(await redis.zscore(keys.workers, 'worker-0-dead'), null)
  })
})

describe('a heartbeat that fails', { timeout: STUCK_AFTER_MS }, () => {
  it('is told once by the log and as long as it lasts by the status', async t => {
    const fault = await startFaultStack(ownerOf(t), { monitors: 0 })
    const { redis } = fault
    await redis.call('ACL', 'SETUSER', 'default', '-xinfo')
    await eventually('the status tells', PATIENCE_MS, async () =>
      (await problemsOf(fault)).some(problem => /heartbeat.*can't run this command/.test(problem))
    )
    await redis.call('ACL', 'SETUSER', 'default', '+xinfo')
    await eventually('it is over', PATIENCE_MS, async () =>
      (await problemsOf(fault)).every(problem => !problem.includes('heartbeat'))
    )
    const told = () =>
      logOf(fault, 'worker-1')
        .filter(({ msg }) => msg.startsWith('heartbeat'))
        .map(({ level, msg }) => `${level} ${msg}`)
    await eventually('the log tells the end', PATIENCE_MS, () => told().length > 1)
    assert.deepEqual(told(), ['50 heartbeat failed', '40 heartbeat works again'])
  })
})

describe('a worker that died idle', { timeout: STUCK_AFTER_MS }, () => {
  it('is forgotten, also after a purge', async t => {
    const fault = await startFaultStack(ownerOf(t), {
      monitors: 0,
      workers: 2,
      environment: { gateway: { PURGE: 'open' } }
    })
    const { redis, keys, kill, stack } = fault
    await kill('worker-2')
    await fetch(`${stack.url}/purge-payments`, { method: 'POST' })
    await eventually('only one is left', PATIENCE_MS, async () => (await redis.zcard(keys.workers)) === 1)
    await eventually('nobody is missed', PATIENCE_MS, async () =>
      (await problemsOf(fault)).every(problem => !problem.includes('worker-2'))
    )
  })
})

describe('a retention that is changed', { timeout: STUCK_AFTER_MS }, () => {
  it('forgets no id, after a restart on the same data and beside a gateway that was not restarted', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, { monitors: 0 })
    const { redis, stack, directory } = fault
    const traffic = createTraffic(own, stack.url, 3)
    const random = createRandom(3, 'retention')
    const ids = Array.from({ length: 40 }, () => random.uuid())
    for (const id of ids) assert.equal(((await traffic.pay(id, 1_990)) as { status: number }).status, 202)
    await assertSettlesAndAddsUp(fault, traffic)

    await stack.part('gateway-2').stop()
    const changed = startService('gateway', {
      REDIS_URL: `unix:${stack.redisPath}`,
      LISTEN: `unix:${directory}/gateway-2.sock`,
      NAME: 'changed',
      ID_RETENTION_HOURS: '1'
    })
    await changed.untilLogged('ready')
    const acceptedBy = async () => {
      const { gateways } = (await (await fetch(`${stack.url}/status`)).json()) as {
        gateways: { label: string; isAlive: boolean }[]
      }
      return gateways.filter(({ isAlive }) => isAlive).map(({ label }) => label)
    }
    await eventually('both gateways run', PATIENCE_MS, async () => (await acceptedBy()).includes('changed'))
    /** 503 as long as HAProxy has not found out who is there. */
    const isDuplicate = async (id: string) => {
      const { status } = await eventually('a gateway answers', PATIENCE_MS, async () => {
        const ending = (await traffic.pay(id, 1_990)) as { status: number }
        return ending.status !== 503 && ending
      })
      return status === 200
    }
    // Both get some of them, and at the end only the changed one.
    for (const id of ids) assert(await isDuplicate(id))
    await stack.part('gateway-1').stop()
    for (const id of ids) assert(await isDuplicate(id))
    await traffic.burst(10, 10)
    assert.equal((await assertSettlesAndAddsUp(fault, traffic)).length, 50)
    assert.equal(await redis.hlen(fault.keys.idPeriods), 1)
  })
})

describe('totals that somebody has overwritten', { timeout: STUCK_AFTER_MS }, () => {
  it('keep only the payments from being counted that would be added there, until they are as they should be', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, { monitors: 0 })
    const { redis, keys, stack } = fault
    const traffic = createTraffic(own, stack.url, 4)
    const [year = '', month = ''] = new Date().toISOString().split('-')
    const node = keys.totals('default', 'cents', year)
    const field = String(Number(month))
    for (const [round, broken] of ['not a number', '9223372036854775807'].entries()) {
      await traffic.burst(10, 10)
      await assertSettlesAndAddsUp(fault, traffic)
      const before = (await redis.hget(node, field)) ?? ''
      await redis.hset(node, field, broken)
      await traffic.burst(5, 5)
      await eventually('the status tells', PATIENCE_MS, async () =>
        (await problemsOf(fault)).some(problem => /settle.*TOTALS/.test(problem))
      )
      // Nothing was counted by half, and nothing was lost.
      assert.equal(await redis.hget(node, field), broken)
      assert.equal(await redis.hlen(keys.inFlight), 5)
      assert.equal((await redis.hvals(keys.totals('default', 'requests', ''))).join(), String(10 + round * 15))
      await redis.hset(node, field, before)
      assert.equal((await assertSettlesAndAddsUp(fault, traffic)).length, 15 * (round + 1))
    }
  })
})

describe('a purge under load', { timeout: STUCK_AFTER_MS }, () => {
  it('leaves totals that add up on each level', async t => {
    const own = ownerOf(t)
    const fault = await startFaultStack(own, { monitors: 0, environment: { gateway: { PURGE: 'open' } } })
    const { redis, keys, stack } = fault
    const traffic = createTraffic(own, stack.url, 5)
    traffic.start(400)
    const flow = async () => {
      const acceptedCount = traffic.accepted.size
      await eventually('payments flow', PATIENCE_MS, () => traffic.accepted.size > acceptedCount + 60)
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
    await eventually(
      'the queue is empty',
      PATIENCE_MS,
      async () => (await redis.xlen(keys.queue)) === 0 && (await redis.hlen(keys.inFlight)) === 0
    )
    let sumCount = 0
    for (const name of PROCESSOR_NAMES) {
      for (const measure of ['requests', 'cents'] as const) {
        const of = async (window: string) =>
          (await redis.hvals(keys.totals(name, measure, window))).reduce((sum, value) => sum + Number(value), 0)
        const all = await of('')
        sumCount += all
        for (const length of [4, 7, 10, 13, 16, 18]) {
          const windows = (await redis.keys(`${keys.totals(name, measure, '')}:*`))
            .map(key => key.slice(keys.totals(name, measure, '').length + 1))
            .filter(window => window.length === length)
          const sums = await Promise.all(windows.map(of))
          assert.equal(
            sums.reduce((sum, value) => sum + value, 0),
            all,
            `${name} ${measure}, names of ${length} characters`
          )
        }
      }
    }
    assert(sumCount > 0)
  })
})
