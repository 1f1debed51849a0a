// Goal: an operator's commands tell the truth: the audit objects to books that differ and to nothing else, and a dead
// letter is shown, put back once, and then paid.
// Method: the commands as processes, against a whole stack; the books are broken by hand.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { Redis } from 'ioredis'
import { startStack } from '../../compose/local/stack.ts'
import { createKeys } from '../../shared/keys.ts'
import { eventually, PATIENCE_MS } from '../support/eventually.ts'

const directory = await mkdtemp(join(tmpdir(), 'commands-'))
const stack = await startStack({ directory, environment: { gateway: { PURGE: 'open' } } })
const redis = new Redis(stack.redisPath)
const keys = createKeys()
const year = String(new Date().getUTCFullYear())
after(async () => {
  redis.disconnect()
  await stack.stop()
  await rm(directory, { recursive: true, force: true })
})

type Ended = { code: number; output: string }

function run(
  command: 'audit' | 'redrive',
  args: string[] = [],
  environment: Record<string, string> = {}
): Promise<Ended> {
  const env = {
    PATH: process.env.PATH,
    REDIS_URL: `unix:${stack.redisPath}`,
    PROCESSOR_TOKEN: '123',
    DEFAULT_PROCESSOR_URL: stack.processorUrls.default,
    FALLBACK_PROCESSOR_URL: stack.processorUrls.fallback,
    ...environment
  }
  return new Promise(done => {
    execFile(
      process.execPath,
      [resolve('processor-worker/commands', `${command}.ts`), ...args],
      { env },
      (error, stdout, stderr) => {
        done({ code: typeof error?.code === 'number' ? error.code : 0, output: stdout + stderr })
      }
    )
  })
}

async function pay(amount: number): Promise<string> {
  const correlationId = randomUUID()
  const answer = await fetch(`${stack.url}/payments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ correlationId, amount })
  })
  assert.equal(answer.status, 202)
  return correlationId
}

async function admin(path: string, body: unknown, processor: 'default' | 'fallback' = 'default'): Promise<void> {
  const answer = await fetch(`${stack.processorUrls[processor]}/admin/${path}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', 'x-rinha-token': '123' },
    body: JSON.stringify(body)
  })
  assert(answer.ok)
}

const settled = () => eventually('the queue is empty', PATIENCE_MS, async () => (await redis.xlen(keys.queue)) === 0)
// Everything up to now: the audit's own default leaves out the last two seconds.
const upToNow = () => ['--to', new Date().toISOString()]

test('the audit is content with equal books', async () => {
  for (let count = 0; count < 20; count++) await pay((100 + count) / 100)
  await settled()
  const { code, output } = await run('audit', ['--deep', ...upToNow()])
  assert.equal(code, 0, output)
  assert.match(output, /default +20 +20 +0 +21\.90 +21\.90 +0\.00/)
  assert.match(output, /20 of 20 payments compared one by one, 0 differ\n\nAll books agree\./)
})

test('the audit objects to a cent too much in the totals', async () => {
  await redis.hincrby(keys.totals('default', 'cents', ''), year, 1)
  const { code, output } = await run('audit', ['--to', '9000-01-01T00:00:00.000Z'])
  assert.equal(code, 1, output)
  assert.match(output, /default +20 +20 +0 +21\.91 +21\.90 +0\.01/)
  await redis.hincrby(keys.totals('default', 'cents', ''), year, -1)
})

test('the deep audit names a payment that is booked at both processors', async () => {
  const correlationId = await pay(5)
  await settled()
  const double = await fetch(`${stack.processorUrls.fallback}/payments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ correlationId, amount: 5, requestedAt: '2000-01-01T00:00:00.000Z' })
  })
  assert.equal(double.status, 200)
  const { code, output } = await run('audit', ['--deep', '--json', '--from', '2020-01-01T00:00:00.000Z', ...upToNow()])
  assert.equal(code, 1, output)
  const report = JSON.parse(output) as { isEqual: boolean; differences: unknown[] }
  assert.equal(report.isEqual, false)
  assert.deepEqual(report.differences, [{ correlationId, difference: 'booked at both processors' }])
})

type Told = {
  problems: string[]
  audit: { kind: string; until: string; isEqual: boolean; differences: unknown } | null
}
/** What GET /status tells once it tells something of an audit that is not the one before. */
const toldOfAudit = (before: string | undefined) =>
  eventually('the status tells of the audit', PATIENCE_MS, async () => {
    const told = (await (await fetch(`${stack.url}/status`)).json()) as Told
    return told.audit !== null && told.audit.until !== before ? (told as Told & { audit: object }) : false
  })
const booksProblem = ({ problems }: Told) => problems.find(sentence => sentence.startsWith('The books differ'))

test('an audit of everything leaves its result for the status until a purge, one of a range does not', async () => {
  assert.equal(await redis.exists(keys.audit), 0, 'all audits so far had a range')
  // The present year is never read whole.
  await redis.hincrby(keys.totals('default', 'cents', ''), '1999', 1)
  // Together with the payment that the test before has booked at fallback as well, dated 2000.
  assert.equal((await run('audit')).code, 1)
  const differing = await toldOfAudit(undefined)
  assert.match(
    booksProblem(differing) ?? '',
    /ours minus those of default are 0 payments and 0\.01 and ours minus those of fallback are -1 payments and -5\.00/
  )
  assert.deepEqual(
    [differing.audit.kind, differing.audit.isEqual, differing.audit.differences],
    ['plain', false, { default: { payments: 0, amount: 0.01 }, fallback: { payments: -1, amount: -5 } }]
  )

  await redis.hincrby(keys.totals('default', 'cents', ''), '1999', -1)
  await run('audit', ['--from', '2001-01-01T00:00:00.000Z'])
  assert.equal(await redis.hget(keys.audit, 'default-cents'), '1')
  await fetch(`${stack.processorUrls.fallback}/admin/purge-payments`, {
    method: 'POST',
    headers: { 'x-rinha-token': '123' }
  })
  assert.equal((await run('audit', ['--deep'])).code, 0)
  const equal = await toldOfAudit(differing.audit.until)
  assert.deepEqual([equal.audit.kind, equal.audit.isEqual, booksProblem(equal)], ['deep', true, undefined])

  for (const url of [stack.url, stack.processorUrls.default]) {
    await fetch(`${url}${url === stack.url ? '' : '/admin'}/purge-payments`, {
      method: 'POST',
      headers: { 'x-rinha-token': '123' }
    })
  }
  assert.equal(await redis.exists(keys.audit), 0)
  await eventually(
    'the status forgets it',
    PATIENCE_MS,
    async () => ((await (await fetch(`${stack.url}/status`)).json()) as Told).audit === null
  )
})

test('an audit that can not ask says why and exits with 2', async () => {
  const wrongToken = await run('audit', [], { PROCESSOR_TOKEN: 'wrong' })
  assert.equal(wrongToken.code, 2)
  assert.match(wrongToken.output, /401.*PROCESSOR_TOKEN/)
  const noRedis = await run('audit', [], { REDIS_URL: `unix:${directory}/nothing.sock` })
  assert.equal(noRedis.code, 2)
  assert.match(noRedis.output, /Redis at unix:.*nothing\.sock did not answer/)
  assert.equal((await run('audit', ['--from', 'yesterday'])).code, 2)
  assert.match((await run('audit', ['--help'])).output, /--deep/)
})

test('a dead letter is shown, put back once, and then paid', async () => {
  assert.match((await run('redrive')).output, /No dead letters/)
  for (const name of ['default', 'fallback'] as const)
    await admin('faults', { faults: [{ kind: 'status', status: 400, next: 2 }] }, name)
  const [first, second] = [await pay(7.5), await pay(8.25)]
  await eventually('two dead letters', PATIENCE_MS, async () => (await redis.xlen(keys.deadLetters)) === 2)

  const { output } = await run('redrive')
  assert.match(output, new RegExp(`${first} +7\\.50 +default refused it for good, then fallback: status 400`))
  assert.match(output, new RegExp(`${second} +8\\.25`))
  assert.deepEqual(await run('redrive', [first.toUpperCase()]), { code: 0, output: `${first} is back in the queue\n` })
  assert.deepEqual(await run('redrive', [first]), { code: 1, output: `${first} is no dead letter\n` })
  assert.match((await run('redrive', ['--all'])).output, /^1 payments are back/)
  await settled()
  assert.equal(await redis.xlen(keys.deadLetters), 0)
  for (const id of [first, second]) {
    assert.match(await (await fetch(`${stack.url}/payments/${id}`)).text(), /"status":"settled","processor":"default"/)
  }
})

test('dead letters that no processor takes are each tried once, and what is no payment stops none of them', async () => {
  await redis.xadd(keys.deadLetters, '*', 'foo', 'bar')
  await redis.xadd(keys.queue, '*', 'correlationId', 'not-a-uuid', 'cents', '1')
  // More than fit into what follows, so that whatever is put back is refused again at once.
  for (const name of ['default', 'fallback'] as const)
    await admin('faults', { faults: [{ kind: 'status', status: 400, next: 1_000 }] }, name)
  const ids = await Promise.all(Array.from({ length: 50 }, () => pay(1)))
  await eventually('all are dead letters', PATIENCE_MS, async () => (await redis.xlen(keys.deadLetters)) === 52)
  const { code, output } = await run('redrive', ['--all'])
  assert.equal(
    output,
    '50 payments are back in the queue.\n2 dead letters stay: they are no payments. Without --all they are shown.\n'
  )
  assert.equal(code, 1)
  await eventually('all are refused again', PATIENCE_MS, async () => (await redis.xlen(keys.deadLetters)) === 52)

  for (const name of ['default', 'fallback'] as const) await admin('faults', {}, name)
  assert.match((await run('redrive', ['--all'])).output, /^50 payments are back/)
  await settled()
  const shown = await run('redrive')
  assert.match(shown.output, /\["foo","bar"\] +it is no dead letter of the pipeline/)
  assert.match(shown.output, /\["correlationId","not-a-uuid","cents","1"\] +correlationId is no UUID in lower case/)
  const letterIds = (await redis.xrange(keys.deadLetters, '-', '+')).map(([id]) => id)
  assert.equal((await run('redrive', ['--discard', ...letterIds])).code, 0)
  assert.match((await run('redrive')).output, /No dead letters/)
  for (const id of ids) assert.match(await (await fetch(`${stack.url}/payments/${id}`)).text(), /"status":"settled"/)
})
