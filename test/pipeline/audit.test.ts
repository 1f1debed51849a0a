// Goal: one payment with an open outcome does not keep the audit from all the others, however long it stays open: all
// is compared up to now but what is in flight, which is looked at one by one, and told. What could not be compared is
// never called equal. Method: a whole stack whose worker waits for answers that never come; the audit as a process.
// Where things change while it compares, it asks default through a front that changes them at that moment.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { after, describe, it } from 'node:test'
import { createFunctions } from '../../shared/redis/functions.ts'
import { eventually, PATIENCE_MS, STUCK_AFTER_MS } from '../support/eventually.ts'
import { newPayment, newPayments, required } from '../support/payments.ts'
import { startTestPipeline } from '../support/pipeline.ts'

const pipeline = await startTestPipeline({ environment: { worker: { PROCESSOR_TIMEOUT_MS: '300000' } } })
const { stack, redis, keys, admins } = pipeline

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
type Sum = { requests: string; cents: string }

async function audit(
  args: string[] = [],
  environment: Record<string, string> = {}
): Promise<{ code: number; output: string }> {
  const env = {
    PATH: process.env.PATH,
    REDIS_URL: `unix:${stack.redisPath}`,
    PROCESSOR_TOKEN: '123',
    DEFAULT_PROCESSOR_URL: stack.processorUrls.default,
    FALLBACK_PROCESSOR_URL: stack.processorUrls.fallback,
    ...environment
  }
  return await new Promise(done => {
    execFile(
      process.execPath,
      [resolve('processor-worker/commands/audit.ts'), ...args],
      { env },
      (error, stdout, stderr) => {
        done({ code: typeof error?.code === 'number' ? error.code : 0, output: stdout + stderr })
      }
    )
  })
}

async function findings(
  expectedCode: number,
  args: string[] = [],
  environment: Record<string, string> = {}
): Promise<Found> {
  const { code, output } = await audit(['--json', ...args], environment)
  assert.equal(code, expectedCode, output)
  return JSON.parse(output) as Found
}

/** What a processor has, and what is taken off of it. */
const sums = ({ processors }: Found, name = 'default') => {
  const { ours, theirs, takenOff } = required(processors.find(({ processor }) => processor === name))
  return [ours, theirs, takenOff].map(({ requests }) => Number(requests))
}

async function book(url: string, correlationId: string, requestedAt: string): Promise<void> {
  const body = JSON.stringify({ correlationId, amount: 19.9, requestedAt })
  assert.equal(
    (await fetch(`${url}/payments`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })).status,
    200
  )
}

/** A payment that default takes and never answers for; with its entry and its record. */
async function payOpen(isBooked: boolean) {
  const { correlationId, cents } = newPayment()
  const before = await redis.hkeys(keys.inFlight)
  await admins.default.setFaults([{ kind: 'silent', insert: isBooked, next: 1 }])
  assert.equal((await pipeline.pay({ correlationId, cents })).status, 202)
  const entryId = await eventually('it is in flight', PATIENCE_MS, async () =>
    (await redis.hkeys(keys.inFlight)).find(id => !before.includes(id))
  )
  await eventually('it has reached default', PATIENCE_MS, async () => (await admins.default.faultsFired())[0] === 1)
  const record = required(await redis.hget(keys.inFlight, entryId))
  return { correlationId, entryId, record, requestedAt: record.split(' ')[1] ?? '' }
}

type Told = {
  problems: string[]
  audit: {
    until: string
    isEqual: boolean
    notCompared: { count: number; oldestSeconds: number } | null
    oneByOne: { compared: number; of: number } | null
  } | null
}
const toldOfAudit = ({ to }: Found) =>
  eventually('the status tells of this audit', PATIENCE_MS, async () => {
    const told = JSON.parse((await pipeline.get('/status')).body) as Told
    return told.audit?.until === to ? { problems: told.problems, audit: told.audit } : false
  })

/** Default, behind a front that does something before it passes on a request, or answers in its place. */
async function frontOfDefault(before: (path: string) => Promise<number | undefined> | undefined) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    void (async () => {
      const status = await before(path)
      const answer =
        status === undefined
          ? await fetch(stack.processorUrls.default + path, { headers: { 'x-rinha-token': '123' } })
          : undefined
      response.writeHead(answer?.status ?? status ?? 500).end(await answer?.text())
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    environment: { DEFAULT_PROCESSOR_URL: url },
    roundCount: () => asked.filter(path => path.startsWith('/admin/')).length
  }
}
const isSummary = (path: string) => path.startsWith('/admin/')

const booked = await payOpen(true)
const absent = await payOpen(false)
await Promise.all(newPayments(40).map(pipeline.pay))
await eventually('all others are settled', PATIENCE_MS, async () => (await redis.xlen(keys.queue)) === 2)
const settledAtMs = Date.now()
await eventually('that was two seconds ago', PATIENCE_MS, () => Date.now() > settledAtMs + 2_100)

describe('an audit with payments in flight', { timeout: STUCK_AFTER_MS }, () => {
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
    const { audit: told, problems } = await toldOfAudit(await findings(0))
    assert.deepEqual(
      [told.isEqual, told.notCompared?.count, problems.filter(sentence => sentence.startsWith('The books'))],
      [true, 2, []]
    )
  })

  it('finds a difference of today, after what is in flight', async () => {
    await book(stack.processorUrls.fallback, randomUUID(), new Date(settledAtMs).toISOString())
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
    const { audit: told, problems } = await toldOfAudit(found)
    assert(told.isEqual && Math.round(told.notCompared?.oldestSeconds ?? 0) >= 120)
    assert(
      problems.some(sentence =>
        /^The books agree in all that was compared by the audit of .*: it left out 2 payments in flight, the oldest for 2 min by then\./.test(
          sentence
        )
      ),
      problems.join('\n')
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
    await book(stack.processorUrls.fallback, absent.correlationId, '2000-01-01T00:00:00.000Z')
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
    await redis.hincrby(keys.totals('default', 'cents', ''), '1999', 1)
    assert.deepEqual(sums(await findings(1, [], front.environment)), [40, 41, 0])
    await redis.hincrby(keys.totals('default', 'cents', ''), '1999', -1)
  })

  it('starts over where one is booked while it compares', async () => {
    let isBooked = false
    const front = await frontOfDefault(async path => {
      if (!isSummary(path) || isBooked) return undefined
      isBooked = true
      await book(stack.processorUrls.default, absent.correlationId, absent.requestedAt)
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
      await book(stack.processorUrls.default, correlationId, new Date(settledAtMs).toISOString())
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
    await redis.hincrby(keys.totals('default', 'requests', ''), '1999', 1)
    const front = await frontOfDefault(async path => {
      if (isSummary(path)) await redis.hincrby(keys.totals('default', 'requests', ''), '1999', -1)
      return undefined
    })
    const { code, output } = await audit([], front.environment)
    assert.equal(code, 2, output)
    assert.match(output, /our books changed while they were compared/)
  })
})
