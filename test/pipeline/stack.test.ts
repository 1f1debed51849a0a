// Goal: what `npm start`, the tests and the benchmarks run on comes up complete, says what is wrong when it cannot, and
// never leaves a process behind.
// Method: the real parts, started both through startStack and as `npm start` starts them; parts and parent are killed
// with SIGKILL. Mostly the processors are a closed port, because nothing needs them.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { findFreePort } from '../../compose/local/ports.ts'
import type { StackOptions } from '../../compose/local/stack-options.ts'
import { startStack, type Stack } from '../../compose/local/stack.ts'
import { warningIn } from '../../compose/local/warnings.ts'
import { createKeys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { eventually, STUCK_AFTER_MS } from '../support/eventually.ts'
import { ownerOf } from '../support/owner.ts'
import { startProgram, type Program } from '../support/program.ts'

const nobody = 'http://127.0.0.1:9'
const limits = { timeout: STUCK_AFTER_MS }
/** For a part to end by itself, however busy the machine is; it is killed after that. */
const GRACE_MS = 30_000

describe('startStack', limits, () => {
  it('starts every part and stops every part cleanly', async t => {
    const stack = await startTestStack(t)
    assert.deepEqual([...stack.parts.keys()], ['redis', 'gateway-1', 'gateway-2', 'worker-1', 'monitor-1', 'haproxy'])
    const pids = [...stack.parts.values()].map(({ pid }) => pid ?? 0)
    assert.ok(pids.every(isAlive))
    assert.ok(stack.part('redis').usage().anonymousBytes > 1_000_000)
    assert.equal((await fetch(`${stack.url}/health`)).status, 200)

    const exits = await stack.stop(GRACE_MS)
    for (const [name, exit] of exits) assert.deepEqual(exit, { code: 0, signal: null }, name)
    assert.deepEqual(pids.filter(isAlive), [])
  })

  it('brings models of the processors along when none are given, and the whole settles a payment', async t => {
    const stack = await startStack({ directory: newDirectory(t) })
    ownerOf(t)(stack, running => running.kill())
    await postPayment(stack)
    await eventually('the payment is in the books', async () => {
      const response = await fetch(`${stack.url}/payments-summary`)
      return ((await response.json()) as { default: { totalAmount: number } }).default.totalAmount === 19.9
    })
  })

  it('keeps the queue when it is stopped and started again', async t => {
    const directory = newDirectory(t)
    const first = await startTestStack(t, { directory })
    await postPayment(first)
    await first.stop()

    const second = await startTestStack(t, { directory })
    const redis = ownerOf(t)(
      await connectRedis(`unix:${second.redisPath}`, 'test', 5_000, createLog('test', 'silent')),
      client => client.disconnect()
    )
    assert.equal(await redis.xlen(createKeys().queue), 1)
  })

  it('tells a crash from a part that was killed on purpose, and starts parts again', async t => {
    const stack = await startTestStack(t)
    const gateway = stack.part('gateway-1')
    gateway.kill('SIGKILL')
    assert.deepEqual(await gateway.exited, { code: null, signal: 'SIGKILL' })
    await gateway.start()
    assert.equal(gateway.state, 'running')

    process.kill(stack.part('worker-1').pid ?? 0, 'SIGKILL')
    assert.deepEqual(await stack.crashed, { part: 'worker-1', code: null, signal: 'SIGKILL' })
    assert.equal(gateway.state, 'running')
  })

  it('stops a part that is paused', async t => {
    const stack = await startTestStack(t)
    const worker = stack.part('worker-1')
    worker.kill('SIGSTOP')
    assert.deepEqual(await worker.stop(GRACE_MS), { code: 0, signal: null })
  })

  it('kills a part that does not end in time', async t => {
    // A worker waits for the answers to what it has sent, and this processor never gives one.
    const sentTo = createServer()
    sentTo.listen(0, '127.0.0.1')
    await once(sentTo, 'listening')
    t.after(() => sentTo.close())
    const url = `http://127.0.0.1:${(sentTo.address() as AddressInfo).port}`
    const isSent = new Promise(resolve => {
      sentTo.on('connection', socket =>
        socket
          .on('error', () => undefined)
          .on('data', data => {
            if (data.includes('POST /payments')) resolve(data)
          })
      )
    })
    const stack = await startTestStack(t, { processors: { default: url, fallback: url } })
    await postPayment(stack)
    await isSent
    assert.equal((await stack.part('worker-1').stop(200)).signal, 'SIGKILL')
  })

  it('answers 503 as problem JSON while no gateway is up, and recovers', async t => {
    const stack = await startTestStack(t, { gateways: 1 })
    const gateway = stack.part('gateway-1')
    gateway.kill('SIGKILL')
    await gateway.exited
    const response = await fetch(`${stack.url}/payments-summary`)
    assert.equal(response.status, 503)
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    assert.equal(response.headers.get('retry-after'), '1')
    assert.equal(((await response.json()) as { status: number }).status, 503)

    await gateway.start()
    await eventually('the gateway is back', async () => (await fetch(`${stack.url}/payments-summary`)).status === 200)
  })

  it('says which part did not come up, with the end of its log, and leaves nothing running', async t => {
    const directory = newDirectory(t)
    const before = new Set(childrenOf(process.pid))
    await assert.rejects(
      startTestStack(t, { directory, environment: { worker: { IN_FLIGHT_MAX: 'many' } } }),
      /worker-1 ended before it was ready \(exit code 2\)[\s\S]+IN_FLIGHT_MAX="many" is not usable/
    )
    assert.deepEqual(
      childrenOf(process.pid).filter(pid => !before.has(pid)),
      []
    )
  })

  it('refuses a directory whose sockets would have too long a path, and one where a Redis runs', async t => {
    const directory = newDirectory(t)
    await assert.rejects(startTestStack(t, { directory: join(directory, 'x'.repeat(100)) }), /use a shorter directory/)
    await startTestStack(t, { directory })
    await assert.rejects(startTestStack(t, { directory }), /a Redis is running on .+ already/)
  })
})

describe('npm start', limits, () => {
  it('stops everything after SIGINT', async t => {
    const { child, exited, pids, output } = await startReady(t)
    child.kill('SIGINT')
    assert.equal((await exited).code, 0, output())
    assert.match(output(), /Stopped\./)
    assert.deepEqual(pids.filter(isAlive), [])
  })

  it('stops everything when one part dies, says which, and exits with 1', async t => {
    const { exited, pids, directory, output } = await startReady(t)
    process.kill(pidInLog(directory, 'gateway-2'), 'SIGKILL')
    assert.equal((await exited).code, 1)
    assert.match(output(), /gateway-2 ended on its own \(signal SIGKILL\)/)
    assert.deepEqual(pids.filter(isAlive), [])
  })

  const setprivIsMissing = spawnSync('setpriv', ['--version']).status !== 0
  it('leaves nothing behind when it is killed itself', { skip: setprivIsMissing && 'needs setpriv' }, async t => {
    const { child, exited, pids, directory, environment } = await startReady(t)
    child.kill('SIGKILL')
    await exited
    await eventually('all parts are gone', () => !pids.some(isAlive))

    // Nor does its lock keep the next one out.
    await startReady(t, { directory, environment })
  })

  it('refuses a data directory that is in use', async t => {
    const { directory, child } = await startReady(t)
    const second = runStart({ PORT: String(await findFreePort()), DATA_DIRECTORY: directory })
    assert.equal(second.status, 1)
    assert.match(second.stderr, new RegExp(`runs on this data directory already, as process ${child.pid}`))
  })

  it('names a port that is taken, and the way to move it', async t => {
    const server = ownerOf(t)(createServer().listen(0, '127.0.0.1'), listening => listening.close())
    await once(server, 'listening')
    const port = String((server.address() as { port: number }).port)
    const { status, stderr, stdout } = runStart({ PORT: port, DATA_DIRECTORY: newDirectory(t) })
    assert.equal(status, 2)
    assert.match(stderr, new RegExp(`port ${port} is taken .+ PORT=\\d+ npm start`))
    assert.equal(stdout, '')
  })

  it('names variables that are not usable or contradict each other before it starts anything', t => {
    const directory = newDirectory(t)
    const { status, stderr } = runStart({
      PORT: '0',
      MAX_AMOUNT: '-1',
      DEFAULT_FEE: '0.3',
      WORKER_NAME: 'w',
      DATA_DIRECTORY: directory
    })
    assert.equal(status, 2)
    assert.match(stderr, /^WORKER_NAME is not a setting any more; in its place: NAME$/m)
    assert.match(stderr, /PORT="0" is not usable/)
    assert.match(stderr, /MAX_AMOUNT="-1" is not usable/)
    assert.match(stderr, /DEFAULT_FEE="0.3", FALLBACK_FEE="0.15" contradict each other/)
    const half = runStart({ DEFAULT_PROCESSOR_URL: nobody, FALLBACK_PROCESSOR_URL: '', DATA_DIRECTORY: directory })
    assert.match(half.stderr, /set both/)
  })
})

it('takes from the logs what deserves a line on the terminal, and nothing else', () => {
  const lines: [line: string, warning: string | undefined][] = [
    ['{"level":30,"time":"2026-01-01T00:00:00.000Z","service":"gateway","pid":1,"msg":"ready"}', undefined],
    ['{"level":40,"pid":1,"reason":"full","msg":"refusing"}', 'warning: refusing  reason=full'],
    ['{"level":60,"err":{"message":"gone","stack":"…"},"msg":"crashed"}', 'fatal: crashed  err="gone"'],
    ['[WARNING]  (12) : Server gateways/gateway-1 is DOWN', 'warning: Server gateways/gateway-1 is DOWN'],
    ['[NOTICE]   (12) : haproxy version is 2.6.12', undefined],
    ['12:M 21 Nov 2026 08:21:31.026 * Ready to accept connections', undefined],
    ['12:M 21 Nov 2026 08:21:31.029 # Can not save', 'warning: Can not save'],
    ['TypeError: x is not a function', 'TypeError: x is not a function']
  ]
  for (const [line, warning] of lines) assert.equal(warningIn(line), warning)
})

describe('set-up', limits, () => {
  let folder = ''
  let script = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'setup-'))
    script = join(folder, 'script.mjs')
    writeFileSync(
      script,
      `
      console.log(process.versions.node.split('.')[0], ...process.argv.slice(2))
      process.exitCode = 7`
    )
  })
  after(() => rmSync(folder, { recursive: true }))

  it('says nothing when nothing is missing, and passes arguments and exit code on', () => {
    const words = ['compose/local/setup.mjs', script, 'a b', '--c']
    const { status, stdout, stderr } = spawnSync('node', words, { encoding: 'utf8' })
    assert.deepEqual({ status, stdout, stderr }, { status: 7, stdout: '22 a b --c\n', stderr: '' })
  })

  it('hands SIGTERM on and waits for the script', async () => {
    const waiting = join(folder, 'waiting.mjs')
    writeFileSync(
      waiting,
      `
      process.on('SIGTERM', () => setTimeout(() => process.exit(9), 100))
      setInterval(() => undefined, 1000)
      console.log('up')`
    )
    const { child, kill, exited } = startProgram(['node', 'compose/local/setup.mjs', '--no-servers', waiting])
    await once(child.stdout, 'data')
    kill('SIGTERM')
    assert.equal((await exited).code, 9)
  })

  it('says what is missing or too old, and how to get it, where it cannot install it', () => {
    // A PATH of its own, without apt-get and sudo: nothing can be installed from there.
    const bin = mkdtempSync(join(folder, 'bin-'))
    symlinkSync(process.execPath, join(bin, 'node'))
    const redis = join(bin, 'redis-server')
    writeFileSync(redis, '#!/bin/sh\necho Redis server v=6.0.16 sha=0\n')
    chmodSync(redis, 0o755)
    const { status, stdout, stderr } = spawnSync(join(bin, 'node'), ['compose/local/setup.mjs', script], {
      encoding: 'utf8',
      env: { PATH: bin }
    })
    assert.equal(status, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /redis-server 7\.0 or later and haproxy 2\.6 or later/)
    assert.match(stderr, /redis-server is version 6\.0, which is too old/)
    assert.match(stderr, /apt-get install .*redis-server haproxy/)
    assert.match(stderr, /brew install redis haproxy/)
  })

  it('installs nothing with --no-install, and says all that is missing and how to get it', () => {
    // A clone without packages, and a PATH whose only programs are Node and installers that leave a trace.
    const clone = mkdtempSync(join(folder, 'clone-'))
    cpSync('compose/local', join(clone, 'compose/local'), { recursive: true })
    cpSync('package-lock.json', join(clone, 'package-lock.json'))
    const bin = mkdtempSync(join(folder, 'bin-'))
    symlinkSync(process.execPath, join(bin, 'node'))
    const trace = join(bin, 'trace')
    for (const name of ['apt-get', 'npm', 'sudo', 'env', 'dpkg-deb']) {
      writeFileSync(join(bin, name), `#!/bin/sh\necho ${name} >> ${trace}\n`)
      chmodSync(join(bin, name), 0o755)
    }
    writeFileSync(join(bin, 'redis-server'), '#!/bin/sh\necho Redis server v=6.0.16 sha=0\n')
    chmodSync(join(bin, 'redis-server'), 0o755)
    const run = (...words: string[]) =>
      spawnSync(join(bin, 'node'), [join(clone, 'compose/local/setup.mjs'), ...words], {
        encoding: 'utf8',
        env: { PATH: bin }
      })

    const start = run(script, '--no-install')
    assert.deepEqual({ status: start.status, stdout: start.stdout }, { status: 2, stdout: '' })
    for (const part of [
      /npm packages of package-lock\.json: node_modules is missing/,
      /--no-install was given/,
      /npm ci --include=dev/,
      /redis-server is version 6\.0/,
      /apt-get install .*redis-server haproxy/
    ]) {
      assert.match(start.stderr, part)
    }
    const tests = run('--tests', script, '--no-install')
    assert.equal(tests.status, 2)
    for (const part of [
      /chromium is missing|chromium 120\.0 or later/,
      /apt-get download libfaketime/,
      /apt-get download prometheus/,
      /npm ci/
    ])
      assert.match(tests.stderr, part)
    assert.equal(run('--engine', script, '--no-install').status, 2)
    assert(!existsSync(trace), 'an installer was called')
  })

  it('keeps --no-install from the script, and --help of npm start and npm test names it', () => {
    const { status, stdout } = spawnSync(
      'node',
      ['compose/local/setup.mjs', '--no-servers', script, 'a', '--no-install', 'b'],
      { encoding: 'utf8' }
    )
    assert.deepEqual({ status, stdout }, { status: 7, stdout: '22 a b\n' })
    for (const help of ['compose/local/start.ts', 'compose/local/test.ts']) {
      assert.match(
        spawnSync(process.execPath, [help, '--help'], { encoding: 'utf8' }).stdout,
        /-- --no-install +installs nothing/
      )
    }
  })
})

async function startTestStack(t: TestContext, options: Partial<StackOptions> = {}): Promise<Stack> {
  const stack = await startStack({
    directory: options.directory ?? newDirectory(t),
    processors: { default: nobody, fallback: nobody },
    ...options
  })
  return ownerOf(t)(stack, running => running.kill())
}

async function postPayment(stack: Stack): Promise<void> {
  const response = await fetch(`${stack.url}/payments`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ correlationId: randomUUID(), amount: 19.9 })
  })
  assert.equal(response.status, 202, await response.text())
}

type Started = Pick<Program, 'child' | 'exited'> & {
  pids: number[]
  directory: string
  environment: Record<string, string>
  output: () => string
}

/** `npm start`, without npm; returns when it says that it is ready. */
async function startReady(t: TestContext, again?: Pick<Started, 'directory' | 'environment'>): Promise<Started> {
  const directory = again?.directory ?? newDirectory(t)
  const environment =
    again?.environment ?? startEnvironment({ PORT: String(await findFreePort()), DATA_DIRECTORY: directory })
  const program = startProgram([process.execPath, 'compose/local/start.ts'], { env: environment })
  const { child, pid, exited } = ownerOf(t)(program, async ({ kill, exited }) => {
    kill('SIGTERM')
    await exited
  })
  const output = () => `${program.output.stdout}${program.output.stderr}`
  await eventually('npm start is ready, or has ended', () => output().includes('Ready.') || child.exitCode !== null)
  assert.equal(child.exitCode, null, output())
  return { child, exited, directory, environment, pids: childrenOf(pid), output }
}

function runStart(environment: Record<string, string>) {
  const env = startEnvironment(environment)
  return spawnSync(process.execPath, ['compose/local/start.ts'], { encoding: 'utf8', env })
}

function startEnvironment(own: Record<string, string>): Record<string, string> {
  return { PATH: process.env.PATH ?? '', DEFAULT_PROCESSOR_URL: nobody, FALLBACK_PROCESSOR_URL: nobody, ...own }
}

function newDirectory(t: TestContext): string {
  return ownerOf(t)(mkdtempSync(join(tmpdir(), 'stack-')), made => rmSync(made, { recursive: true }))
}

function pidInLog(directory: string, part: string): number {
  const pid = /"pid":(\d+)/.exec(readFileSync(join(directory, 'logs', `${part}.log`), 'utf8'))?.[1]
  assert.ok(pid !== undefined)
  return Number(pid)
}

/** A zombie, which nobody has waited for yet, counts as gone. */
function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !['Z', ''].includes(statFields(pid)[0] ?? '')
}

function childrenOf(parentPid: number): number[] {
  const pids = readdirSync('/proc')
    .map(Number)
    .filter(pid => pid > 0)
  return pids.filter(pid => statFields(pid)[1] === String(parentPid) && isAlive(pid))
}

/** State, parent's pid and so on: what follows the name in /proc/PID/stat; [''] when there is no such process. */
function statFields(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return ['']
  }
}
