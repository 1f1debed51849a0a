// Goal: throughput.js, outage.js and soak.js tell a right backend from a wrong one, by what they print and by their
// exit code, and leave the processors as they were.
// Method: plain k6 runs each of them for a few seconds against two processor models and a backend of a few lines that
// can be told to make one kind of mistake. Skipped where there is no k6 (npm run contest gets one).
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { startDirectBackend, type Mistake } from '../support/contest/direct-backend.ts'
import { findK6 } from '../support/contest/find-k6.ts'
import { verdict } from '../k6/lib/load-report.ts'
import { STUCK_AFTER_MS } from '../support/eventually.ts'
import { startProgram } from '../support/program.ts'
import { startProcessor, type RunningProcessor } from '../support/processor/start.ts'

type Script = 'throughput' | 'outage' | 'soak'

const k6 = findK6()
// Of k6: thresholds crossed, stopped by a signal, a script that throws, a script that ends the run.
const EXIT = { wrong: 99, stopped: 105, threw: 107, aborted: 108 }
// Each offers more than the 90 payments that are wanted, because a busy k6 leaves some out.
const short: Record<Script, Record<string, string>> = {
  throughput: { RATES: '50,100', STEP_SECONDS: '1', SETTLE_SECONDS: '10' },
  outage: { RATE: '50', BEFORE_SECONDS: '1', DOWN_SECONDS: '1', AFTER_SECONDS: '1', SETTLE_SECONDS: '10' },
  soak: { RATE: '75', DURATION_SECONDS: '2', INTERVALS: '2', SETTLE_SECONDS: '10' }
}

type System = { environment: Record<string, string>; processors: RunningProcessor[] }

/** A backend and processors that have seen different payments before. */
async function startSystem(t: TestContext, mistake: Mistake = 'none'): Promise<System> {
  const [byDefault, byFallback] = await Promise.all([startProcessor(t), startProcessor(t, { FEE: '0.15' })])
  const backendUrl = await startDirectBackend(t, { default: byDefault.url, fallback: byFallback.url }, mistake)
  const pay = async (url: string) => {
    const payment = { correlationId: crypto.randomUUID(), amount: 12.34, requestedAt: new Date().toISOString() }
    await fetch(`${url}/payments`, { method: 'POST', body: JSON.stringify(payment) })
  }
  await Promise.all([backendUrl, backendUrl, byDefault.url, byFallback.url].map(pay))
  // A setting that is not the scripts' business.
  await byDefault.admin.setDelay(3)
  return {
    environment: {
      BACKEND_URL: backendUrl,
      DEFAULT_PROCESSOR_URL: byDefault.url,
      FALLBACK_PROCESSOR_URL: byFallback.url
    },
    processors: [byDefault, byFallback]
  }
}

async function runScript(
  t: TestContext,
  script: Script,
  environment: Record<string, string>,
  stopAt?: () => Promise<unknown>
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const path = join(import.meta.dirname, `../k6/${script}.js`)
  const words = [k6 ?? '', 'run', '--quiet', '--no-usage-report', '--address=', '--log-format=raw', path]
  const { kill, output, exited } = startProgram(words, {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...short[script], ...environment }
  })
  t.after(() => kill('SIGKILL'))
  if (stopAt !== undefined) {
    await stopAt()
    kill('SIGINT')
  }
  const { code } = await exited
  return { code, ...output }
}

async function assertAsBefore({ processors }: System): Promise<void> {
  const healths = await Promise.all(
    processors.map(async ({ url }) => {
      const response = await fetch(`${url}/payments/service-health`)
      return await response.json()
    })
  )
  assert.deepEqual(healths, [
    { failing: false, minResponseTime: 3 },
    { failing: false, minResponseTime: 0 }
  ])
}

describe('the verdict on the books', () => {
  const booked = { default: { requests: 9, cents: 900 }, fallback: { requests: 1, cents: 100 } }
  const right = {
    wasCompared: true,
    accepted: 10,
    owed: 0,
    centsOwed: 0,
    beyond: 0,
    centsBeyond: 0,
    processors: booked,
    backend: booked
  }
  const expectations: [name: string, change: Partial<typeof right>, expected: RegExp][] = [
    [
      'equal',
      {},
      /^BOOKS EQUAL to the cent: 10 payments accepted, 10 settled for 10\.00, and the backend says the same\.$/
    ],
    // 12 offered, 9 accepted, one of the three others settled: nobody can say that it should not have been.
    [
      'settled without an answer',
      { accepted: 9, owed: -1, centsOwed: -100, beyond: -2, centsBeyond: -200 },
      /^BOOKS EQUAL .*\nAmong the settled are 1 of the failed payments that got no definite answer\.$/
    ],
    [
      'lost',
      { owed: 1, centsOwed: 100, beyond: -1, centsBeyond: -100 },
      /^BOOKS WRONG:\n {2}1 accepted payments were never settled$/
    ],
    [
      'paid twice',
      { owed: -1, centsOwed: -100, beyond: 1, centsBeyond: 100 },
      /^BOOKS WRONG:\n {2}1 payments more were settled than were accepted$/
    ],
    [
      'one lost, another one paid twice',
      { centsOwed: 5, centsBeyond: -5 },
      /^BOOKS WRONG:\n {2}the accepted payments are worth 0\.05 more than the settled ones$/
    ],
    [
      'the same the other way',
      { centsOwed: -5, centsBeyond: 5 },
      /^BOOKS WRONG:\n {2}the settled payments are worth 0\.05 more than the accepted ones$/
    ],
    [
      'at the other processor',
      { backend: { default: booked.fallback, fallback: booked.default } },
      /^BOOKS WRONG:\n {2}default has 9 .*says 1 payments for 1\.00\n {2}fallback has 1 payments .*says 9 /
    ],
    ['nothing', { accepted: 0 }, /^NOTHING ACCEPTED/],
    ['not compared', { wasCompared: false }, /^BOOKS NOT COMPARED/]
  ]
  for (const [name, change, expected] of expectations) {
    it(name, () => assert.match(verdict({ ...right, ...change }).join('\n'), expected))
  }
})

describe('the scripts for k6', { timeout: STUCK_AFTER_MS, concurrency: 2, skip: k6 === undefined && 'no k6' }, () => {
  for (const script of ['throughput', 'outage', 'soak'] as const) {
    it(`${script}: finds nothing to object to in a right backend`, async t => {
      const system = await startSystem(t)
      const { code, stdout, stderr } = await runScript(t, script, system.environment)
      assert.equal(code, 0, stdout + stderr)
      const [, accepted, settled] = /BOOKS EQUAL to the cent: (\d+) payments accepted, (\d+) settled/.exec(stdout) ?? []
      assert.ok(Number(accepted) >= 90 && settled === accepted, stdout)
      // Without the three that were settled before at default, and the one at fallback.
      const [byDefault, byFallback] = await Promise.all(system.processors.map(({ admin }) => admin.summary()))
      assert.equal(Number(settled), (byDefault?.totalRequests ?? 0) + (byFallback?.totalRequests ?? 0) - 4)
      if (script === 'outage') {
        assert.match(stdout, /TIME TO DRAIN: \d\.\d s from the recovery, when [1-9]\d* payments were unsettled/)
        const states = await Promise.all(system.processors.map(({ admin }) => admin.state()))
        for (const { answered } of states) assert.ok((answered['500'] ?? 0) > 0, 'both have failed')
      }
      await assertAsBefore(system)
    })
  }

  it('throughput: tells a cent too much', async t => {
    const { environment } = await startSystem(t, 'adds-a-cent')
    const { code, stdout, stderr } = await runScript(t, 'throughput', environment)
    assert.equal(code, EXIT.wrong, stderr)
    assert.match(stdout, /BOOKS WRONG:\n +default has (\d+) payments for \d+\.\d\d, the backend says \1 payments for /)
    assert.doesNotMatch(stdout, /never settled|more were settled/)
  })

  it('soak: tells lost payments', async t => {
    const { environment } = await startSystem(t, 'forgets')
    const { code, stdout, stderr } = await runScript(t, 'soak', environment)
    assert.equal(code, EXIT.wrong, stderr)
    assert.match(stdout, /BOOKS WRONG:\n +\d+ accepted payments were never settled\n/)
  })

  it('outage: tells what was paid twice', async t => {
    const { environment } = await startSystem(t, 'pays-twice')
    const { code, stdout, stderr } = await runScript(t, 'outage', environment)
    assert.equal(code, EXIT.wrong, stderr)
    assert.match(stdout, /BOOKS WRONG:\n +default has .*\n(.*\n)? +\d+ payments more were settled than were accepted\n/)
  })

  it('outage: puts the processors right when it is stopped while both fail', async t => {
    const system = await startSystem(t)
    const environment = { ...system.environment, DOWN_SECONDS: '60' }
    const { code, stdout } = await runScript(t, 'outage', environment, async () => {
      await Promise.all(system.processors.map(({ admin }) => admin.until(({ answered }) => (answered['500'] ?? 0) > 0)))
    })
    assert.equal(code, EXIT.stopped)
    assert.match(stdout, /BOOKS NOT COMPARED/)
    await assertAsBefore(system)
  })

  it('names a wrong parameter, and a processor that does not tell its books', async t => {
    const { environment } = await startSystem(t)
    const wrong = await runScript(t, 'throughput', { ...environment, RATES: '10,ten' })
    assert.equal(wrong.code, EXIT.threw)
    assert.match(wrong.stderr, /each number in RATES must be a whole number from 1 to 20000/)
    const locked = await runScript(t, 'soak', { ...environment, TOKEN: 'other' })
    assert.deepEqual([locked.code, locked.stdout], [EXIT.aborted, ''])
    assert.match(locked.stderr, /the default processor at .* does not tell its books \(status 401\).* -e TOKEN=/)
    const nobody = await runScript(t, 'outage', { ...environment, FALLBACK_PROCESSOR_URL: 'http://127.0.0.1:1' })
    assert.equal(nobody.code, EXIT.aborted)
    assert.match(nobody.stderr, /the fallback processor at http:\/\/127\.0\.0\.1:1 does not tell .*refused/)
  })
})
