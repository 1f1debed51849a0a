// Goal: the simulation tells what the real pipeline does.
// Method: a schedule of 12 s with a failure that is longer than payments wait, driven against the real pipeline by
// users of this test, and simulated; the bookings per processor are compared. npm run simulate -- --compare does it for
// k6's runs.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ROUTING_VARIABLES, routingParametersOf } from '../../processor-worker/routing-parameters.ts'
import { readConfig } from '../../shared/environment.ts'
import type { Schedule } from '../support/contest/schedule.ts'
import { endMsOf } from '../simulation/arrivals.ts'
import { compare } from '../simulation/compare.ts'
import { POLICIES } from '../simulation/policies.ts'
import { simulate } from '../simulation/simulate.ts'
import { newPayment, required } from '../support/payments.ts'
import { startTestPipeline } from '../support/pipeline.ts'

const WELL = { delayMs: 20, failing: false }
const FAILING = { delayMs: 20, failing: true }
const SCHEDULE: Schedule = {
  durationMs: 12_000,
  users: { from: 100, to: 100 },
  amountCents: 1_990,
  checkEveryMs: 10_000,
  checkLagMs: 1_500,
  stages: [
    { atMs: 0, default: WELL, fallback: WELL },
    { atMs: 2_500, default: FAILING, fallback: WELL },
    { atMs: 8_500, default: WELL, fallback: WELL }
  ]
}
const ENVIRONMENT = { FALLBACK_AFTER_MS: '2000' }
const pipeline = await startTestPipeline({ monitors: 0, environment: { worker: ENVIRONMENT } })

test('payments per processor are as simulated', { timeout: 60_000 }, async t => {
  const { admins } = pipeline
  const startMs = performance.now()
  const until = (atMs: number) => sleep(Math.max(0, startMs + atMs - performance.now()))
  let asked = 0
  const user = async (index: number) => {
    // Spread over the second, so that one late turn of this process does not move all of them.
    for (let atMs = index * 10; atMs < SCHEDULE.durationMs; atMs = performance.now() - startMs + 1_000) {
      await until(atMs)
      asked += 1
      assert.equal((await pipeline.pay(newPayment(SCHEDULE.amountCents))).status, 202)
    }
  }
  const stages = async () => {
    for (const stage of SCHEDULE.stages) {
      await until(stage.atMs)
      for (const name of ['default', 'fallback'] as const) {
        await admins[name].setDelay(stage[name].delayMs)
        await admins[name].setFailing(stage[name].failing)
      }
    }
  }
  await Promise.all([stages(), ...Array.from({ length: SCHEDULE.users.to }, (_, index) => user(index))])
  await until(endMsOf(SCHEDULE))

  const [settledDefault, settledFallback] = await Promise.all([admins.default.state(), admins.fallback.state()]).then(
    states => states.map(({ bookings }) => bookings)
  )
  const simulated = simulate(SCHEDULE, {
    policy: required(POLICIES['this policy']),
    parameters: routingParametersOf(readConfig(ROUTING_VARIABLES, ENVIRONMENT)),
    poll: () => undefined
  })
  const { differences, table } = compare(simulated, {
    asked,
    settledDefault: required(settledDefault),
    settledFallback: required(settledFallback)
  })
  t.diagnostic(`\n${table}`)
  // A machine that is busy with other tests is late by tenths of a second, each of which is 10 payments of 1,200.
  assert(Math.max(...differences) <= 0.05, table)
})
