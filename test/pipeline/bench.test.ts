// Goal: the benchmark measures the real system, and gives no figure when the books are wrong.
// Method: one second at a low rate; then the same with a payment that a processor got from somebody else. Skipped where
// the load tool was not built (npm run bench builds it).
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { measureBarePipeline } from '../bench/bare/pipeline.ts'
import { findLoad } from '../bench/find-load.ts'
import { startLocalSystem, type System } from '../bench/system.ts'
import { measureRate } from '../bench/measure-rate.ts'
import { SERVICES } from '../bench/result.ts'
import { BooksError } from '../bench/system-books.ts'
import { STUCK_AFTER_MS } from '../support/eventually.ts'

const tool = findLoad() ?? ''
const noSignal = new AbortController().signal
const low = { ratePerSecond: 200, seconds: 1 }

describe('a rate', { skip: tool === '' ? 'no load tool' : false, timeout: STUCK_AFTER_MS }, () => {
  let system: System
  before(async () => {
    system = await startLocalSystem(noSignal)
  })
  after(() => system.stop())

  it('has all its figures', async () => {
    const result = await measureRate(tool, system, low, noSignal)
    assert.equal(result.failedRequests, 0)
    for (const figure of [result.offeredPerSecond, result.acceptedPerSecond, result.settledPerSecond])
      assert(figure > 0)
    assert(
      result.acceptP50Ms > 0 && result.acceptP50Ms <= result.acceptP99Ms && result.acceptP99Ms <= result.acceptP999Ms
    )
    assert(result.settleP50Ms > 0 && result.settleP50Ms <= result.settleP99Ms)
    for (const service of SERVICES) {
      assert(result.memoryMegabytesByService[service] > 0, service)
      // The monitor may have had nothing to do in that second.
      assert(result.cpuMicrosByService[service] > 0 || service === 'monitor', service)
    }
    assert(result.cpuMicrosPerPayment > 0)
  })

  it('has none when a processor has a payment that was never accepted', async () => {
    const measuring = measureRate(tool, system, low, noSignal)
    const strange = sleep(1_000).then(() =>
      fetch(`${system.processorUrls.default}/payments`, {
        method: 'POST',
        body: JSON.stringify({ correlationId: randomUUID(), amount: 1, requestedAt: new Date().toISOString() })
      })
    )
    await assert.rejects(measuring, BooksError)
    assert.equal((await strange).status, 200)
  })
})

it(
  'a bare pipeline settles all it accepts, at a cost for each of its services',
  { skip: tool === '' ? 'no load tool' : false, timeout: STUCK_AFTER_MS },
  async () => {
    const [result] = await measureBarePipeline(tool, [low, low], noSignal)
    assert.equal(result?.rate, low.ratePerSecond)
    for (const service of SERVICES)
      assert(
        service === 'monitor' ? result.microsByService.monitor === 0 : result.microsByService[service] > 0,
        service
      )
  }
)

describe('npm run bench', () => {
  const bench = (...words: string[]) =>
    spawnSync(process.execPath, [join(import.meta.dirname, '../bench/run.ts'), ...words], { encoding: 'utf8' })

  it('says how it is used', () => {
    const { status, stdout } = bench('--help')
    assert.equal(status, 0)
    assert.match(stdout, /--compare FILE/)
  })

  it('says what is wrong with its arguments, and that no run took place', () => {
    for (const [words, message] of [
      [['--rates', '1'], /--rates/],
      [['--compare', '/nowhere'], /nowhere/],
      [['more'], /more/]
    ] as const) {
      const { status, stderr, stdout } = bench(...words)
      assert.deepEqual([status, stdout], [2, ''])
      assert.match(stderr, message)
    }
  })
})
