// Goal: the guarantee holds through faults that nobody has thought of together.
// Method: one short run of what `npm run faults` runs long: clients of several habits, and faults of all kinds in an
// order that the seed decides. SEED=… replays a run: same payments, same faults at the same times.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STUCK_AFTER_MS } from '../support/eventually.ts'
import { makePlan, nameOf } from './plan.ts'
import { runSeed } from './random-run.ts'

const seed = Number(process.env.SEED ?? 17)

test(`a random run (SEED=${seed})`, { timeout: STUCK_AFTER_MS }, async t => {
  const faults = 10
  const onFault = t.diagnostic.bind(t)
  const report = await runSeed({ seed, payments: 3_000, faults, onFault })
  assert.equal(report.failure, undefined, `${report.failure ?? ''}\nLogs: ${report.directory}\nReplay: SEED=${seed}`)
  assert(report.payments >= 3_000)
  // A command that is to be lost may not be sent in a short run; everything else has happened.
  const { length: certain } = makePlan(seed, faults).steps.filter(({ fault }) => fault.kind !== 'redis-command')
  assert(Object.values(report.faults).reduce((sum, count) => sum + count) >= certain)
})

test('a seed is one plan, of which fewer faults are the beginning, and two seeds are two', () => {
  assert.deepEqual(makePlan(7, 10), { ...makePlan(7, 20), steps: makePlan(7, 20).steps.slice(0, 10) })
  assert.deepEqual(makePlan(7, 20), makePlan(7, 20))
  assert.notDeepEqual(makePlan(7, 20), makePlan(8, 20))
})

test('twenty seeds meet every kind of fault', () => {
  const steps = Array.from({ length: 20 }, (_, seed) => makePlan(seed, 14).steps).flat()
  const kinds = new Set(steps.map(({ fault }) => nameOf(fault).split(' ')[0]))
  const all =
    'cut cut-reply cut-request failing freeze function-flush garbage go-silent kill lose-reply lose-request redis-busy ' +
    'redis-full reject reset restart rewrite-log silent slow'
  assert.equal([...kinds].sort().join(' '), all)
})
