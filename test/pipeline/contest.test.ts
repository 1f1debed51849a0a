// Goal: the contest's script tells a right backend from a wrong one, and counts what the processors have.
// Method: k6 runs a schedule of six seconds against two processor models and a backend of a few lines that can be
// told to make one kind of mistake. Skipped where there is no k6 (npm run contest gets one).
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { startDirectBackend, type Mistake } from '../support/contest/direct-backend.ts'
import { findK6 } from '../support/contest/find-k6.ts'
import { STUCK_AFTER_MS } from '../support/eventually.ts'
import { startProgram } from '../support/program.ts'
import { startProcessor } from '../support/processor/start.ts'

const runner = join(import.meta.dirname, '../k6/run-contest.ts')
const fine = { delayMs: 0, failing: false }
const schedule = {
  // The lag is what a busy machine may take to settle a payment.
  durationMs: 6_000,
  users: { from: 20, to: 40 },
  amount: 0.07,
  checkEveryMs: 2_000,
  checkLagMs: 1_500,
  stages: [
    { atMs: 2_000, default: { delayMs: 0, failing: true }, fallback: { delayMs: 20, failing: false } },
    { atMs: 4_000, default: fine, fallback: fine }
  ]
}

type Outcome = {
  code: number | null
  stdout: string
  stderr: string
  result: Record<string, unknown>
  /** The books of default and fallback at the end. */
  processors: { requests: number; cents: number }[]
}

async function runContest(t: TestContext, mistake: Mistake, isInterrupted = false): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), 'contest-test-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const schedulePath = join(directory, 'schedule.json')
  writeFileSync(schedulePath, JSON.stringify(schedule))
  const [byDefault, byFallback] = await Promise.all([startProcessor(t), startProcessor(t, { FEE: '0.15' })])
  const backendUrl = await startDirectBackend(t, { default: byDefault.url, fallback: byFallback.url }, mistake)

  const words = [process.execPath, runner, '--json', '--drain', '3', '--schedule', schedulePath]
  const { kill, output, exited } = startProgram(words, {
    env: {
      ...process.env,
      BACKEND_URL: backendUrl,
      DEFAULT_PROCESSOR_URL: byDefault.url,
      FALLBACK_PROCESSOR_URL: byFallback.url
    }
  })
  t.after(() => kill('SIGKILL'))
  if (isInterrupted) {
    // Inside of the stage in which default fails.
    await byFallback.admin.until(({ bookings }) => bookings > 0)
    kill('SIGINT')
  }
  const { code } = await exited
  const { stdout, stderr } = output
  const processors = await Promise.all(
    [byDefault, byFallback].map(async ({ admin, url }) => {
      const { totalRequests, totalAmount } = await admin.summary()
      // Whatever the schedule's last stage was, it has been taken back.
      const health = await fetch(`${url}/payments/service-health`)
      assert.deepEqual(await health.json(), { failing: false, minResponseTime: 0 })
      return { requests: totalRequests, cents: Math.round(totalAmount * 100) }
    })
  )
  const lines = stdout.trim().split('\n')
  assert.equal(lines.length, 1, stdout)
  const result = stdout === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>)
  return { code, stdout, stderr, result, processors }
}

describe('the contest', { timeout: STUCK_AFTER_MS, skip: findK6() === undefined && 'no k6' }, () => {
  it('finds nothing to object to in a right backend, and counts what the processors have', async t => {
    const {
      code,
      stderr,
      result,
      processors: [byDefault, byFallback]
    } = await runContest(t, 'none')
    assert.equal(code, 0, stderr)
    const { asked, accepted, settledDefault, settledFallback, profit, feesDefault, feesFallback } = result
    assert.ok(Number(asked) > 60 && accepted === asked, stderr)
    const cents = (amount: unknown) => Math.round(Number(amount) * 100)
    assert.deepEqual({ requests: settledDefault, cents: cents(result.amountDefault) }, byDefault)
    assert.deepEqual({ requests: settledFallback, cents: cents(result.amountFallback) }, byFallback)
    assert.ok(Number(settledDefault) > 0 && Number(settledFallback) > 0, 'both stages were played')
    assert.equal(Number(settledDefault) + Number(settledFallback), asked)
    const expected = Number(asked) * 0.07 - Number(feesDefault) - Number(feesFallback)
    assert.ok(Math.abs(Number(profit) - expected) < 0.001)
    assert.partialDeepStrictEqual(result, {
      checks: 3,
      inconsistencies: 0,
      checksUnanswered: 0,
      failedRequests: 0,
      lag: 0,
      neverSettled: 0,
      wasPurged: true,
      disqualified: false
    })
    assert.deepEqual(result.differences, [])
    assert.ok(Number(result.p99Ms) > 0)
  })

  it('reports and fines a backend whose books are wrong', async t => {
    const { code, stderr, result } = await runContest(t, 'counts-twice')
    assert.equal(code, 1)
    assert.ok(Number(result.inconsistencies) > 0)
    assert.match(stderr, /BOOKS DIFFER over .*default has \d+ payments for \d+\.\d\d, the backend says/)
    assert.ok(Number(result.fine) > 0 && Number(result.total) < Number(result.profit))
    assert.ok((result.differences as string[]).length > 0)
    assert.equal(result.lag, 0)
  })

  it('disqualifies a backend that pays twice', async t => {
    const { code, result } = await runContest(t, 'pays-twice')
    assert.equal(code, 1)
    assert.deepEqual([result.disqualified, result.total], [true, 0])
  })

  it('counts what a backend accepted and forgot', async t => {
    const { code, result } = await runContest(t, 'forgets')
    assert.equal(code, 1)
    assert.ok(Number(result.lag) > 0 && result.neverSettled === result.lag)
    assert.deepEqual([result.inconsistencies, result.drainMs], [0, null])
  })

  it('puts the processors right again when it is stopped', async t => {
    const { code, stdout, stderr } = await runContest(t, 'none', true)
    assert.deepEqual([code, stdout], [130, ''])
    assert.doesNotMatch(stderr, /canceled/)
  })
})
