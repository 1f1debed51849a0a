// Goal: npm run top shows a running system: anew every second in a terminal, which it gives back as it was; once, for
// people and for scripts, with an exit code that tells how things are; and it says so when the system can't be reached,
// and goes on when it can. Method: the command as a process against a real pipeline, in a pseudo-terminal of
// util-linux's script; what it writes is taken apart at the frames' beginnings.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { after, describe, it } from 'node:test'
import { runScript } from '../support/operator-command.ts'
import { eventually, STUCK_AFTER_MS } from '../support/eventually.ts'
import { newPayment } from '../support/payments.ts'
import { startTestPipeline } from '../support/pipeline.ts'
import { findFreePort } from '../../compose/local/ports.ts'

const pipeline = await startTestPipeline()
const { stack, admins, redis, keys } = pipeline
const COMMAND = join(import.meta.dirname, '../../gateway/watching/top.ts')
const ESC = '\x1b'
const HOME = `${ESC}[H`
const ENTERED = `${ESC}[?1049h${ESC}[?25l`
const LEFT = `${ESC}[?25h${ESC}[?1049l`

const run = (args: string[], environment: Record<string, string> = {}) => runScript(COMMAND, args, environment)

/** Runs it in a terminal of 80×24, whose settings are shown once it has ended. */
function inTerminal(address: string, environment: Record<string, string> = {}) {
  const line = `stty cols 80 rows 24; ${process.execPath} ${COMMAND} ${address}; echo "ended with $?"; stty -a`
  // -e: with the exit code; -f: written at once; -q: nothing of its own.
  const child = spawn('script', ['-qefc', line, '/dev/null'], {
    env: { PATH: process.env.PATH, SHELL: '/bin/sh', TERM: 'xterm', ...environment },
    stdio: ['pipe', 'pipe', 'inherit']
  })
  after(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const closed = once(child, 'close')
  return {
    output: () => output,
    /** All that was drawn, as a person sees it. */
    frames: () => output.split(HOME).slice(1).map(stripVTControlCharacters),
    type: (keys: string) => child.stdin.write(keys),
    async ended() {
      await closed
      return output
    }
  }
}

const isWell = () => eventually('all is well', async () => (await run([stack.url, '--once'])).code === 0)

describe('npm run top', { timeout: STUCK_AFTER_MS }, () => {
  it('once: a table and exit code 0 while all is well, through HAProxy or past it', async () => {
    await isWell()
    assert.equal((await pipeline.pay(newPayment())).status, 202)
    await pipeline.untilSettled()
    const past = `unix:${join(dirname(stack.redisPath), 'gateway-1.sock')}`
    for (const address of [stack.url, String(pipeline.port), `localhost:${pipeline.port}`, past]) {
      const { code, stdout } = await run([address, '--once'])
      assert.equal(code, 0, stdout)
      assert.match(stdout, /^Payment pipeline .*from gateway-[12]\nAll is well\.\n/)
      for (const name of ['default', 'fallback', 'gateway-1', 'gateway-2', 'worker-1', 'monitor-1', 'redis memory'])
        assert(stdout.includes(`\n${name}`), name)
      assert(!stdout.includes(ESC))
    }
    const without = await run([], { PORT: String(pipeline.port) })
    const ended = [without.code, without.stdout.split('\n')[1]]
    assert.deepEqual(ended, [0, 'All is well.'], 'no terminal: once, at the port in PORT')
  })

  it('for scripts: what GET /status answers, in one line', async () => {
    const { body } = await pipeline.get('/status')
    const server = createServer((_, response) => response.end(body)).listen(0, '127.0.0.1')
    after(() => server.close())
    await once(server, 'listening')
    const { code, stdout } = await run([String((server.address() as AddressInfo).port), '--once', '--json'])
    assert.equal(code, 0)
    assert.equal(stdout.indexOf('\n'), stdout.length - 1)
    assert.deepEqual(JSON.parse(stdout), JSON.parse(body))
    assert.equal(stdout.replace(/\s/g, ''), body.replace(/\s/g, ''), 'money to the digit')
  })

  it('once: exit code 1 while something is wrong, and 2 while nothing can be told', async () => {
    await redis.xadd(keys.deadLetters, '*', 'correlationId', 'x')
    const wrong = await eventually('it tells', async () => {
      const ended = await run([stack.url, '--once'])
      return ended.stdout.includes('1 dead letter waits') && ended
    })
    assert.equal(wrong.code, 1)
    assert.match(wrong.stdout, /\n1 PROBLEM:\n\* 1 dead letter waits/)
    assert.equal((await run([stack.url, '--json'])).code, 1)
    await redis.del(keys.deadLetters)

    const port = await findFreePort()
    const stderr = `top: nothing listens at http://localhost:${port}\n`
    assert.deepEqual(await run([String(port), '--once']), { code: 2, stdout: '', stderr })
    assert.match((await run([admins.default.url, '--once'])).stderr, /answers 404 to GET \/status/)
    assert.match((await run(['http://host/path'])).stderr, /is no address/)
    assert.match((await run(['--help'])).stdout, /Exit codes of --once: 0 all is well/)
  })

  it('in a terminal: drawn anew each second, inside 80×24, and q gives the terminal back', async () => {
    await isWell()
    const terminal = inTerminal(stack.url)
    await eventually('it was drawn three times', () => terminal.frames().length > 3)
    for (const admin of Object.values(admins)) await admin.setFailing(true)
    for (let count = 0; count < 5; count++) await pipeline.pay(newPayment())
    await eventually('it tells', () =>
      terminal.frames().some(frame => /PROBLEMS?:\r\n\* Both processors fail/.test(frame))
    )
    for (const admin of Object.values(admins)) await admin.setFailing(false)
    await pipeline.untilSettled()
    const [first = '', ...more] = terminal.frames()
    for (const frame of [first, ...more].slice(0, -1)) {
      const lines = frame.split('\r\n')
      assert(lines.length <= 24, frame)
      for (const line of lines) assert(line.length <= 80, line)
    }
    assert.match(first, /^Payment pipeline .*\r\nAll is well\.\r\n[^]*\r\nredis memory /)
    assert(terminal.output().includes(`${ESC}[1;31m* Both processors fail`))
    terminal.type('q')
    const output = await terminal.ended()
    assert(output.startsWith(ENTERED) && output.includes(`${LEFT}ended with 0\r\n`), output)
    assert.match(output, / icanon /)
    assert(!output.includes('-icanon') && !output.includes(`${ESC}[2J`), 'never blank in between')
  })

  it('in a terminal without colours: says that the system is gone, with the last figures, and that it is back; Ctrl-C ends it', async () => {
    await isWell()
    const terminal = inTerminal(stack.url, { NO_COLOR: '1' })
    await eventually('it was drawn', () => terminal.frames().length > 1)
    const haproxy = stack.part('haproxy')
    haproxy.kill('SIGKILL')
    await haproxy.exited
    const told = await eventually('it tells', () => terminal.frames().find(frame => frame.includes('NOT REACHED')))
    assert.match(
      told,
      /^Payment[^]*NOT REACHED since \d\d:\d\d:\d\d UTC: nothing listens at [^]*The\s+figures below are of \d\d:\d\d:\d\d UTC, the last that[^]*worker-1/
    )
    await haproxy.start()
    const seenCount = terminal.frames().length
    const isBack = () => terminal.frames().some((frame, index) => index >= seenCount && frame.includes('All is well.'))
    await eventually('it is back', isBack)
    terminal.type('\x03')
    const output = await terminal.ended()
    assert(output.includes(`${LEFT}ended with 0\r\n`), output)
    assert(!/<ESC>\[[0-9;]*m/.exec(output.replaceAll(ESC, '<ESC>')))
  })
})
