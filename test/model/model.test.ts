// Goal: no order of events breaks what docs/guarantees.md promises.
// Method: some 20,000 random steps against the real functions in a real redis-server, and after each of them everything
// that must hold is compared with all that Redis and the processors hold. SEED=N replays a run; npm run model makes
// more of them.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { STUCK_AFTER_MS } from '../support/eventually.ts'
import { ownerOf } from '../support/owner.ts'
import { check } from './check.ts'
import { describeFailure } from './describe.ts'

it('every promise holds after every step', { timeout: STUCK_AFTER_MS }, async t => {
  const { failure, stepCount, runCount, tookMs } = await check(ownerOf(t), {
    seed: Number(process.env.SEED ?? 1),
    stepCountMin: 20_000
  })
  assert(failure === undefined, failure && describeFailure(failure))
  t.diagnostic(`${stepCount} steps in ${runCount} runs, ${Math.round((stepCount * 1_000) / tookMs)} a second`)
})
