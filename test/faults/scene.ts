// Where a fault test plays: a whole stack, clients that keep account of what they sent, and what there is to see of
// both.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { StatusBody } from '../../gateway/watching/status/render.ts'
import { eventually } from '../support/eventually.ts'
import { ownerOf, type Own } from '../support/owner.ts'
import type { LogLine } from '../support/service.ts'
import type { Booking } from './books.ts'
import { startFaultStack, type FaultStack, type FaultStackOptions } from './harness.ts'
import { assertSettlesAndAddsUp } from './invariants.ts'
import { createTraffic, type Traffic } from './traffic.ts'

export type Scene = FaultStack & {
  own: Own
  traffic: Traffic
  untilSettled: () => Promise<void>
  /**
   * Whatever the clients sent is settled and stands where it has to, by our books and by the processors', and no
   * process has ended that nobody killed. Returns the bookings.
   */
  assertAddsUp: (deadLettersMax?: number) => Promise<Booking[]>
  /** What GET /status tells. */
  status: () => Promise<StatusBody>
  /** Returns once /status has a problem, or none, that the pattern fits. */
  untilTold: (pattern: RegExp, isTold?: boolean) => Promise<void>
  /** All that a part has logged, parsed. */
  logOf: (partName: string) => LogLine[]
}

/** Without a health monitor, unless one is asked for; ends with the test, or with the file if given `{ after }`. */
export async function startScene(test: Parameters<typeof ownerOf>[0], options: FaultStackOptions = {}): Promise<Scene> {
  const own = ownerOf(test)
  const fault = await startFaultStack(own, { monitors: 0, ...options })
  const { stack, redis, keys } = fault
  const traffic = createTraffic(own, stack.url, 1)
  let crash: unknown
  void stack.crashed.then(crashed => {
    crash = crashed
  })
  const status = async () => (await (await fetch(`${stack.url}/status`)).json()) as StatusBody
  return {
    ...fault,
    own,
    traffic,
    async untilSettled() {
      await eventually('all are settled', async () => (await redis.xlen(keys.queue)) === 0)
    },
    async assertAddsUp(deadLettersMax) {
      const bookings = await assertSettlesAndAddsUp(fault, traffic, deadLettersMax)
      assert.equal(crash, undefined)
      return bookings
    },
    status,
    async untilTold(pattern, isTold = true) {
      await eventually(`${String(pattern)} is told: ${isTold}`, async () => {
        return (await status()).problems.some(problem => pattern.test(problem)) === isTold
      })
    },
    logOf: partName =>
      readFileSync(stack.part(partName).logPath, 'utf8')
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line) as LogLine)
  }
}
