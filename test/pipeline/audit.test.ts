// Goal: the audit objects to books that differ and to nothing else, and leaves its result for the status. A payment
// with an open outcome does not keep it from all the others, however long it stays open: all is compared up to now but
// what is in flight, which is looked at one by one, and told. What could not be compared is never called equal.
// Method: the audit as a process, against a whole stack whose books are broken by hand and whose worker waits for
// answers that never come. Where things change while it compares, it asks default through a front that changes them at
// that moment.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import type { StatusBody } from '../../gateway/watching/status/render.ts'
import { createFunctions } from '../../shared/redis/functions.ts'
import { runOperatorCommand } from '../support/operator-command.ts'
import { eventually, STUCK_AFTER_MS } from '../support/eventually.ts'
import { newPayment, newPayments, required } from '../support/payments.ts'
import { startTestPipeline } from '../support/pipeline.ts'

const pipeline = await startTestPipeline({
  environment: { worker: { PROCESSOR_TIMEOUT_MS: '300000' }, gateway: { PURGE: 'open' } }
})
const { stack, redis, keys, admins, pay, untilSettled } = pipeline

type Sum = { requests: string; cents: string }
type Found = {
  to: string
  isEqual: boolean
  processors: { processor: string; ours: Sum; theirs: Sum; takenOff: Sum }[]
  notCompared: {
    payments: number
    oldestSentAt: string | null
    each: { correlationId: string | null; found: string }[]
  }
  comparedCount?: number
  ofCount?: number
  differences?: { correlationId: string; difference: string }[]
}

const audit = (args: string[] = [], environment: Record<string, string> = {}) =>
  runOperatorCommand(stack, 'audit', args, environment)

async function findings(expectedCode: number, args: string[] = [], environment?: Record<string, string>) {
  const { code, output } = await audit(['--json', ...args], environment)
  assert.equal(code, expectedCode, output)
  return JSON.parse(output) as Found
}

/** What a processor has, and what is taken off of it. */
const sums = ({ processors }: Found, name = 'default') => {
  const { ours, theirs, takenOff } = required(processors.find(({ processor }) => processor === name))
  return [ours, theirs, takenOff].map(({ requests }) => Number(requests))
}

async function book(name: 'default' | 'fallback', correlationId: string, requestedAt: string): Promise<void> {
  const body = JSON.stringify({ correlationId, amount: 19.9, requestedAt })
  const url = `${stack.processorUrls[name]}/payments`
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  assert.equal(answer.status, 200)
}

/** Adds to a total of default, in a year that no payment is of: the present one is never read whole. */
const addToBooks = (measure: 'requests' | 'cents', by: number) =>
  redis.hincrby(keys.totals('default', measure, ''), '1999', by)

/** A payment that default takes and never answers for; with its entry and its record. */
async function payOpen(isBooked: boolean) {
  const { correlationId, cents } = newPayment()
  const before = await redis.hkeys(keys.inFlight)
  await admins.default.setFaults([{ kind: 'silent', insert: isBooked, next: 1 }])
  assert.equal((await pay({ correlationId, cents })).status, 202)
  const entryId = await eventually('it is in flight', async () =>
    (await redis.hkeys(keys.inFlight)).find(id => !before.includes(id))
  )
  await eventually('it has reached default', async () => (await admins.default.faultsFired())[0] === 1)
  const record = required(await redis.hget(keys.inFlight, entryId))
  return { correlationId, entryId, record, requestedAt: record.split(' ')[1] ?? '' }
}

type Told = StatusBody & { audit: NonNullable<StatusBody['audit']> }
const toldOfAudit = ({ to }: Found) =>
  eventually('the status tells of this audit', async () => {
    const told = JSON.parse((await pipeline.get('/status')).body) as StatusBody
    return told.audit?.until === to && (told as Told)
  })
const booksProblems = ({ problems }: StatusBody) => problems.filter(sentence => sentence.startsWith('The books'))

const isSummary = (path: string) => path.startsWith('/admin/')

/** Default, behind a front that does something before it passes on a request, or answers in its place. */
async function frontOfDefault(before: (path: string) => Promise<number | undefined> | undefined) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    void (async () => {
      const status = await before(path)
      if (status !== undefined) return response.writeHead(status).end()
      const answer = await fetch(stack.processorUrls.default + path, { headers: { 'x-rinha-token': '123' } })
      return response.writeHead(answer.status).end(await answer.text())
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { environment: { DEFAULT_PROCESSOR_URL: url }, roundCount: () => asked.filter(isSummary).length }
}

describe('an audit', { timeout: STUCK_AFTER_MS }, () => {
  // Everything up to now: its own default leaves out the last two seconds.
  const upToNow = () => ['--to', new Date().toISOString()]
  before(async () => {
    for (const { status } of await Promise.all(newPayments(19).map(pay))) assert.equal(status, 202)
    await pay(newPayment(4_190))
    await untilSettled()
  })

  it('is content with equal books', async () => {
    const { code, output } = await audit(['--deep', ...upToNow()])
    assert.equal(code, 0, output)
    assert.match(output, /default +20 +20 +0 +420\.00 +420\.00 +0\.00/)
    assert.match(output, /20 of 20 payments compared one by one, 0 differ\n\nAll books agree\./)
  })

  it('objects to a cent too much in the totals', async () => {
    await addToBooks('cents', 1)
    const { code, output } = await audit(['--to', '9000-01-01T00:00:00.000Z'])
    await addToBooks('cents', -1)
    assert.equal(code, 1, output)
    assert.match(output, /default +20 +20 +0 +420\.01 +420\.00 +0\.01/)
  })

  it('names a payment that is booked at both processors, if it looks at each', async () => {
    const payment = newPayment()
    await pay(payment)
    await untilSettled()
    await book('fallback', payment.correlationId, '2000-01-01T00:00:00.000Z')
    const found = await findings(1, ['--deep', '--from', '2020-01-01T00:00:00.000Z', ...upToNow()])
    assert.deepEqual(
      [found.isEqual, found.differences],
      [false, [{ correlationId: payment.correlationId, difference: 'booked at both processors' }]]
    )
    await admins.fallback.purge()
  })

  it('of everything leaves its result for the status until a purge, one of a range does not', async () => {
    await redis.del(keys.audit)
    await addToBooks('cents', 1)
    await book('fallback', randomUUID(), '2000-01-01T00:00:00.000Z')
    await findings(1, ['--from', '1990-01-01T00:00:00.000Z'])
    assert.equal(await redis.exists(keys.audit), 0)
    const differing = await toldOfAudit(await findings(1))
    assert.match(
      booksProblems(differing).join(),
      /^The books differ .*ours minus those of default are 0 payments and 0\.01 and ours minus those of fallback are -1 payments and -19\.90/
    )
    const { kind, isEqual, differences } = differing.audit
    const wanted = { default: { payments: 0, amount: 0.01 }, fallback: { payments: -1, amount: -19.9 } }
    assert.deepEqual([kind, isEqual, differences], ['plain', false, wanted])

    await addToBooks('cents', -1)
    await audit(['--from', '2001-01-01T00:00:00.000Z'])
    assert.equal(await redis.hget(keys.audit, 'default-cents'), '1')
    await admins.fallback.purge()
    const equal = await toldOfAudit(await findings(0, ['--deep']))
    assert.deepEqual([equal.audit.kind, equal.audit.isEqual, booksProblems(equal)], ['deep', true, []])

    await admins.default.purge()
    assert.equal((await fetch(`${stack.url}/purge-payments`, { method: 'POST' })).status, 200)
    assert.equal(await redis.exists(keys.audit), 0)
    await eventually('the status forgets it', async () =>
      (await pipeline.get('/status')).body.includes('"audit": null')
    )
  })

  it('that cannot ask says why and exits with 2', async () => {
    const wrongToken = await audit([], { PROCESSOR_TOKEN: 'wrong' })
    assert.equal(wrongToken.code, 2)
    assert.match(wrongToken.output, /401.*PROCESSOR_TOKEN/)
    const noRedis = await audit([], { REDIS_URL: 'unix:/nowhere/nothing.sock' })
    assert.equal(noRedis.code, 2)
    assert.match(noRedis.output, /Redis at unix:.*nothing\.sock did not answer/)
    assert.equal((await audit(['--from', 'yesterday'])).code, 2)
    assert.match((await audit(['--help'])).output, /--deep/)
  })
})

describe('an audit with payments in flight', { timeout: STUCK_AFTER_MS }, () => {
  type Open = Awaited<ReturnType<typeof payOpen>>
  let booked: Open
  let absent: Open
  let settledAtMs: number
  before(async () => {
    await admins.default.purge()
    await fetch(`${stack.url}/purge-payments`, { method: 'POST' })
    booked = await payOpen(true)
    absent = await payOpen(false)
    await Promise.all(newPayments(40).map(pay))
    await eventually('all others are settled', async () => (await redis.xlen(keys.queue)) === 2)
    settledAtMs = Date.now()
    await eventually('that was two seconds ago', () => Date.now() > settledAtMs + 2_100)
  })

  it('compares all others, up to now, and tells what it did not compare', async () => {
    const found = await findings(0)
    assert.deepEqual(sums(found), [40, 40, 1])
    assert(found.isEqual && found.to > absent.requestedAt)
    assert.deepEqual([found.notCompared.payments, found.notCompared.oldestSentAt], [2, booked.requestedAt])
    assert.deepEqual(
      new Map(found.notCompared.each.map(each => [each.correlationId, each.found])),
      new Map([
        [booked.correlationId, 'booked at default, not counted yet'],
        [absent.correlationId, 'not booked in this range']
      ])
    )

    const { output } = await audit()
    assert.match(output, /^default +40 +40 +0 +796\.00 +796\.00 +0\.00$/m)
    assert.match(
      output,
      /^The books agree in all that was compared; 2 payments in flight were not: the oldest was sent at .*, \d+ s ago\.$/m
    )
    assert.doesNotMatch(output, /All books agree/)
    const told = await toldOfAudit(await findings(0))
    assert.deepEqual([told.audit.isEqual, told.audit.notCompared?.count, booksProblems(told)], [true, 2, []])
  })

  it('finds a difference of today, after what is in flight', async () => {
    await book('fallback', randomUUID(), new Date(settledAtMs).toISOString())
    const found = await findings(1)
    assert.deepEqual(sums(found, 'fallback'), [0, 1, 0])
    assert.match((await audit()).output, /^THE BOOKS DIFFER in what was compared; 2 payments in flight were not/m)
    await admins.fallback.purge()
  })

  it('tells how many payments were compared one by one, of how many', async () => {
    const deep = await findings(0, ['--deep'])
    assert.deepEqual([deep.comparedCount, deep.ofCount, deep.differences], [40, 40, []])
    assert.deepEqual((await toldOfAudit(deep)).audit.oneByOne, { compared: 40, of: 40 })

    const nodes = await redis.keys(keys.idsPattern)
    const dumps = await Promise.all(nodes.map(async node => [node, required(await redis.dumpBuffer(node))] as const))
    await redis.del(nodes)
    const { code, output } = await audit(['--deep'])
    assert.equal(code, 0, output)
    assert.match(
      output,
      /^0 of 40 payments compared one by one, 0 differ; the ids of 40 are no longer remembered, so they were not compared one by one$/m
    )
    assert.match(output, /; 40 payments were compared in the sums only, not one by one\.$/m)
    for (const [node, dump] of dumps) await redis.restore(node, 0, dump)
  })

  it('exits with 3 where one has been in flight for more than a minute, and the status has a sentence for it', async () => {
    const longAgo = new Date(Date.now() - 120_000).toISOString()
    await redis.hset(keys.inFlight, absent.entryId, absent.record.replace(absent.requestedAt, longAgo))
    const found = await findings(3)
    assert.deepEqual([sums(found), found.notCompared.oldestSentAt], [[40, 40, 1], longAgo])
    const told = await toldOfAudit(found)
    assert(told.audit.isEqual && Math.round(told.audit.notCompared?.oldestSeconds ?? 0) >= 120)
    assert.match(
      booksProblems(told).join('\n'),
      /^The books agree in all that was compared by the audit of .*: it left out 2 payments in flight, the oldest for 2 min by then\./m
    )
    await redis.hset(keys.inFlight, absent.entryId, absent.record)
  })

  it('goes on past records that are none', async () => {
    await redis.hset(keys.inFlight, '1-1', 'nonsense', 'nonsense', '', booked.entryId, 'default yesterday')
    const found = await findings(3)
    assert.deepEqual([sums(found), found.notCompared.payments], [[40, 40, 1], 4])
    assert.deepEqual(found.notCompared.each.map(each => each.found).sort(), [
      'its record is none; booked at default, not counted yet',
      'no payment in the queue',
      'no payment in the queue',
      'not booked in this range'
    ])
    await redis.hdel(keys.inFlight, '1-1', 'nonsense')
    await redis.hset(keys.inFlight, booked.entryId, booked.record)
  })

  it('objects to one that the other processor has booked', async () => {
    await book('fallback', absent.correlationId, '2000-01-01T00:00:00.000Z')
    const found = await findings(1, ['--from', '2020-01-01T00:00:00.000Z'])
    assert.deepEqual(found.differences, [
      { correlationId: absent.correlationId, difference: 'in flight at default, booked at fallback' }
    ])
    assert.match(
      (await audit()).output,
      new RegExp(`^${absent.correlationId} +in flight at default, booked at fallback$`, 'm')
    )
    await admins.fallback.purge()
  })

  it('says so where a processor gives no clear answer for one, and does not let that hide anything', async () => {
    const front = await frontOfDefault(path =>
      path === `/payments/${booked.correlationId}` ? Promise.resolve(500) : undefined
    )
    const found = await findings(0, [], front.environment)
    assert.equal(front.roundCount(), 5)
    assert.deepEqual(sums(found), [40, 40, 1])
    assert(found.notCompared.each.some(each => each.found === 'no clear answer from default'))
    // The payment may explain a payment more at default, but not a cent.
    await addToBooks('cents', 1)
    assert.deepEqual(sums(await findings(1, [], front.environment)), [40, 41, 0])
    await addToBooks('cents', -1)
  })

  it('starts over where one is booked while it compares', async () => {
    let isBooked = false
    const front = await frontOfDefault(async path => {
      if (!isSummary(path) || isBooked) return undefined
      isBooked = true
      await book('default', absent.correlationId, absent.requestedAt)
      return undefined
    })
    assert.deepEqual(sums(await findings(0, [], front.environment)), [40, 40, 2])
    assert.equal(front.roundCount(), 2)
  })

  it('starts over where one was stamped long before it was taken, as by a worker that was frozen', async () => {
    const functions = createFunctions(redis, keys, 24)
    const worker = stack.part('worker-1')
    let isLate = false
    const front = await frontOfDefault(async path => {
      if (!isSummary(path) || isLate) return undefined
      isLate = true
      worker.kill('SIGSTOP')
      await functions.accept(newPayments(1), 1e6)
      const {
        payments: [late]
      } = await functions.take('late', { processor: 'default', requestedAtMs: settledAtMs }, 1)
      const { correlationId } = required(late)
      await book('default', correlationId, new Date(settledAtMs).toISOString())
      await functions.settle('default', [required(late)])
      return undefined
    })
    try {
      assert.deepEqual(sums(await findings(0, [], front.environment)), [41, 41, 2])
      assert.equal(front.roundCount(), 2)
    } finally {
      worker.kill('SIGCONT')
    }
  })

  it('gives up where our books lose payments meanwhile, as by a purge', async () => {
    await addToBooks('requests', 1)
    const front = await frontOfDefault(async path => {
      if (isSummary(path)) await addToBooks('requests', -1)
      return undefined
    })
    const { code, output } = await audit([], front.environment)
    assert.equal(code, 2, output)
    assert.match(output, /our books changed while they were compared/)
  })
})
