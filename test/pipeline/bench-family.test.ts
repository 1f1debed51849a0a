// Goal: bench:backlog, bench:summary and bench:scaling measure the real system, and each has all its figures.
// Method: the smallest of each. Skipped where the load tool was not built (npm run bench builds it).
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { measureBacklog } from '../bench/backlog/measure.ts'
import { renderBacklog } from '../bench/backlog/run.ts'
import type { Tools } from '../bench/command.ts'
import { findLoad } from '../bench/find-load.ts'
import { measureScaling } from '../bench/scaling/measure.ts'
import { renderScaling } from '../bench/scaling/run.ts'
import { measureSummary } from '../bench/summary/measure.ts'
import { renderSummaryFigures } from '../bench/summary/run.ts'
import { STUCK_AFTER_MS } from '../support/eventually.ts'

const tools: Tools = { tool: findLoad() ?? '', signal: new AbortController().signal }
const provenance = { at: '', commit: '', machine: '', platform: '' }

/** Every number anywhere in a result is one. */
function assertFigures(value: unknown, path = ''): void {
  if (typeof value === 'number') assert(Number.isFinite(value), `${path} is ${value}`)
  else if (typeof value === 'object' && value !== null)
    for (const [name, each] of Object.entries(value)) assertFigures(each, `${path}.${name}`)
}

describe('the smallest run', { skip: tools.tool === '' ? 'no load tool' : false, timeout: STUCK_AFTER_MS }, () => {
  it('of bench:backlog: the queue is filled, Redis restarted twice, and everything is drained', async () => {
    const settings = {
      paymentCount: 1_000,
      ratePerSecond: 200,
      seconds: 1,
      runCount: 1,
      restartsRedis: true
    }
    const figures = await measureBacklog(settings, tools)
    assertFigures(figures)
    const drain = figures.rounds[0]?.drain
    assert(
      drain !== undefined && drain.bytesPerQueued > 50 && drain.settledPerSecond > 0 && drain.accepting.requests > 0
    )
    assert.deepEqual(
      drain.restarts.map(({ signal, queued }) => [signal, queued]),
      [
        ['SIGTERM', 1_000],
        ['SIGKILL', 1_000]
      ]
    )
    assert.equal(drain.samples[0]?.queued !== undefined && drain.samples[0].queued > 900, true)
    assert.match(renderBacklog({ ...provenance, ...figures }), /while it drains/)
  })

  it('of bench:summary: thirty days are settled, every answer is right, ids of two days are remembered', async () => {
    const figures = await measureSummary({ paymentCount: 30_000, ratePerSecond: 200, seconds: 1, runCount: 1 }, tools)
    assertFigures(figures)
    const {
      memory,
      rounds: [round]
    } = figures
    assert(memory.totalsBytes > 0 && memory.idBytes > 0 && memory.usedBytes > memory.idBytes)
    // Two days of thirty, and what was accepted since.
    assert(memory.idCount >= 2_000 && memory.idCount < 6_000, `${memory.idCount} ids`)
    assert(round !== undefined && round.alone.ranges['15 s'].asked > 0 && round.acceptingBeside.requests > 0)
    assert.match(renderSummaryFigures({ ...provenance, ...figures }), /30 days/)
  })

  it('of bench:scaling: each setup has its processes, and each rate its size', async () => {
    const settings = {
      workerCounts: [2],
      gatewayCounts: [3],
      rateMax: 200,
      seconds: 1
    }
    const figures = await measureScaling(settings, tools)
    assertFigures(figures)
    assert.deepEqual(Object.keys(figures.setups[0]?.microsByProcess ?? {}).sort(), [
      'gateway-1',
      'gateway-2',
      'gateway-3',
      'haproxy',
      'redis',
      'worker-1',
      'worker-2'
    ])
    assert.deepEqual(
      figures.sizing.map(({ rate, measuredAt }) => [rate, measuredAt]),
      [
        [1_000, 200],
        [10_000, 200],
        [100_000, 200]
      ]
    )
    assert.match(renderScaling({ ...provenance, ...figures }), /100,000/)
  })
})

describe('each command', () => {
  for (const name of ['backlog', 'summary', 'scaling']) {
    const bench = (...words: string[]) =>
      spawnSync(process.execPath, [join(import.meta.dirname, `../bench/${name}/run.ts`), ...words], {
        encoding: 'utf8'
      })
    it(`bench:${name} says how it is used, and what is wrong with its arguments`, () => {
      const { status, stdout } = bench('--help')
      assert.equal(status, 0)
      assert.match(stdout, new RegExp(`^npm run bench:${name}`))
      const wrong = bench('--seconds', '0')
      assert.deepEqual([wrong.status, wrong.stdout], [2, ''])
      assert.match(wrong.stderr, /--seconds wants/)
    })
  }
})
