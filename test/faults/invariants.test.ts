// Goal: the checks at the end of every fault test can fail; what breaks the guarantee does not slip through.
// Method: the pure ones are given books that are wrong. Then the guarantee is broken by hand on a running pipeline, in
// the ways that bugs would break it, and the check must object each time, and be content once the damage is undone.
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { PROCESSOR_NAMES } from '../../shared/payment.ts'
import { cellsOf } from '../../shared/totals.ts'
import { STUCK_AFTER_MS } from '../support/eventually.ts'
import { required } from '../support/payments.ts'
import { createRandom } from '../support/random.ts'
import { addUp, readBookings, readOurBooks, readTheirBooks, type Booking, type Range } from './books.ts'
import {
  assertBookedOnce,
  assertBooksEqual,
  assertEverythingAddsUp,
  assertNothingLeft,
  randomRanges
} from './invariants.ts'
import { startScene } from './scene.ts'

const booking = (id: string, more: Partial<Booking> = {}): Booking => ({
  processor: 'default',
  id,
  cents: 100,
  requestedAtMs: 1_000,
  ...more
})
const atFallback = { processor: 'fallback' } as const
const account = (...accepted: string[]) => ({
  sent: new Map([
    ['a', 100],
    ['b', 100],
    ['unheard', 100]
  ]),
  accepted: new Set(accepted)
})

describe('assertBookedOnce', () => {
  it('is content with each accepted payment once, at either processor, and with one that got no 2xx', () => {
    assertBookedOnce([booking('a'), booking('b', atFallback)], account('a', 'b'))
    assertBookedOnce([booking('a'), booking('unheard')], account('a'))
    assertBookedOnce([booking('a')], account('a', 'b'), new Set(['b']))
  })

  const [a, b] = [booking('a'), booking('b')]
  const wrong: [string, RegExp, Booking[]][] = [
    ['an accepted payment that is booked nowhere', /b got a 2xx and is booked nowhere/, [booking('a')]],
    ['a payment at both processors', /a is booked 2 times: default, fallback/, [a, booking('a', atFallback), b]],
    ['a payment twice at one processor', /a is booked 2 times: default, default/, [a, a, b]],
    ['a payment that got no 2xx, twice', /unheard is booked 2 times/, [a, b, booking('unheard'), booking('unheard')]],
    ['another amount', /a is booked with 101 cents, but 100 were sent/, [booking('a', { cents: 101 }), b]],
    ['a payment that nobody sent', /x is booked, but nobody sent it/, [a, b, booking('x')]]
  ]
  for (const [what, message, bookings] of wrong) {
    it(`objects to ${what}`, () =>
      assert.throws(assertBookedOnce.bind(undefined, bookings, account('a', 'b')), message))
  }

  it('objects to a dead letter that is booked all the same', () => {
    const check = assertBookedOnce.bind(undefined, [a], account('a'), new Set(['a']))
    assert.throws(check, /a is booked, but also among the dead letters/)
  })
})

describe('assertBooksEqual', () => {
  const bookings = [booking('a'), booking('b', { requestedAtMs: 2_000 })]
  const of =
    (all: readonly Booking[]) =>
    ({ fromMs, toMs }: Range = { fromMs: 0, toMs: Infinity }) =>
      Promise.resolve(addUp(all.filter(({ requestedAtMs }) => requestedAtMs >= fromMs && requestedAtMs <= toMs)))
  const ranges = randomRanges(createRandom(1, 'ranges'), bookings, 30)

  it('is content with equal books', async () => {
    await assertBooksEqual(of(bookings), of(bookings), ranges)
  })

  it('objects to a payment more or less, a cent, and the other processor', async () => {
    const b = required(bookings[1])
    for (const ours of [
      [b],
      [...bookings, booking('c')],
      [booking('a', { cents: 99 }), b],
      [booking('a', atFallback), b]
    ]) {
      await assert.rejects(assertBooksEqual(of(ours), of(bookings), []), /over everything we say/)
    }
  })

  it('objects to a payment that is counted a millisecond beside its booking', async () => {
    const ours = [booking('a', { requestedAtMs: 1_001 }), required(bookings[1])]
    await assertBooksEqual(of(ours), of(bookings), [])
    await assert.rejects(assertBooksEqual(of(ours), of(bookings), ranges), /from 1970-01-01T00:00:0/)
  })
})

describe('the guarantee, broken by hand', { timeout: STUCK_AFTER_MS }, async () => {
  const scene = await startScene({ after })
  const { traffic, redis, keys, kill, stack } = scene
  await traffic.burst(20, 10)
  await scene.untilSettled()

  const random = createRandom(1, 'ranges')
  const check = () => assertEverythingAddsUp(scene, traffic, random)
  /**
   * Adds to the totals of one payment what a settle adds, so many times, past everything that keeps it from happening
   * twice.
   */
  const count = async ({ processor, cents, requestedAtMs }: Booking, times: number) => {
    for (const { window, field } of cellsOf(requestedAtMs)) {
      await redis.hincrby(keys.totals(processor, 'requests', window), String(field), times)
      await redis.hincrby(keys.totals(processor, 'cents', window), String(field), cents * times)
    }
  }

  it('is fine before', async () => assert.equal((await check()).length, 20))

  it('a payment counted twice', async () => {
    const victim = required((await readBookings(scene))[7])
    await count(victim, 1)
    await assert.rejects(check, /over everything we say/)
    await count(victim, -1)
    await check()
  })

  it('a payment counted at another time than the one that is stored', async () => {
    const victim = required((await readBookings(scene))[3])
    await count(victim, -1)
    await count({ ...victim, requestedAtMs: victim.requestedAtMs + 1 }, 1)
    await assert.rejects(check, /wrong, such as\n {2}from /)
    await count({ ...victim, requestedAtMs: victim.requestedAtMs + 1 }, -1)
    await count(victim, 1)
    await check()
  })

  it('a payment that is accepted and dropped from the queue', async () => {
    await kill('worker-1')
    const id = random.uuid()
    await traffic.pay(id, 100)
    const [entry] = await redis.xrange(keys.queue, '-', '+')
    await assert.rejects(() => assertNothingLeft(redis, keys), /1 payments are in the queue/)
    await redis.xdel(keys.queue, required(entry)[0])
    await assert.rejects(check, new RegExp(`${id} got a 2xx and is booked nowhere`))
    assert((traffic.accepted as Set<string>).delete(id))
    await stack.part('worker-1').start()
    await check()
  })

  it('an attempt that is left on record', async () => {
    await redis.hset(keys.inFlight, '1-0', 'default 2026-11-21T07:48:20.123Z nobody')
    await assert.rejects(check, /1-0 is in flight/)
    await redis.hdel(keys.inFlight, '1-0')
  })

  it('a dead letter that nobody asked for', async () => {
    await redis.xadd(keys.deadLetters, '*', 'correlationId', 'x', 'cents', '1')
    await assert.rejects(check, /1 dead letters, of which at most 0 were asked for/)
    await redis.del(keys.deadLetters)
  })

  // Last, because nothing undoes a booking.
  it('a payment booked at the other processor as well', async () => {
    const victim = required((await readBookings(scene))[0])
    const other = required(PROCESSOR_NAMES.find(name => name !== victim.processor))
    const requestedAt = new Date(victim.requestedAtMs).toISOString()
    const response = await fetch(`${stack.processorUrls[other]}/payments`, {
      method: 'POST',
      body: JSON.stringify({ correlationId: victim.id, amount: victim.cents / 100, requestedAt })
    })
    assert.equal(response.status, 200)
    await assert.rejects(check, new RegExp(`${victim.id} is booked 2 times`))
    const comparison = assertBooksEqual(
      range => readOurBooks(scene, range),
      range => readTheirBooks(scene, range),
      []
    )
    await assert.rejects(comparison, /over everything we say/)
  })
})
