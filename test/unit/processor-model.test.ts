// Goal: the pure parts of the processor model do what the contract says of a processor.
// Method: each part by itself, time as a number; the books against a list that is simply gone through.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Books } from '../support/processor/books.ts'
import { Faults } from '../support/processor/faults.ts'
import { HealthWindow } from '../support/processor/health-window.ts'
import { Limiter } from '../support/processor/limiter.ts'
import { centsRounded, decimal, decodePayment, parseTime } from '../support/processor/payment.ts'

describe('limiter', () => {
  it('empties a long queue of requests that leave at once, without recursion', () => {
    const limiter = new Limiter({ runningMax: 1, queuedMax: 10_000 })
    let ran = 0
    limiter.enter(() => undefined)
    for (let count = 0; count < 10_000; count++) {
      limiter.enter(() => {
        ran += 1
        limiter.leave()
      })
    }
    limiter.leave()
    assert.deepEqual([ran, limiter.running, limiter.queued], [10_000, 0, 0])
  })

  it('refuses to let out more than it let in', () =>
    assert.throws(() => new Limiter({ runningMax: 1, queuedMax: 1 }).leave(), /without enter/))
})

describe('health window', () => {
  const turns = (window: HealthWindow, ...timesMs: number[]) =>
    timesMs.map(nowMs => {
      const turn = window.ask(nowMs)
      return turn.kind === 'granted' ? turn.waitMs : '429'
    })

  it('has fixed windows: 1 ms apart is enough across their border, 4.9 s within one is not', () => {
    assert.deepEqual(turns(new HealthWindow(5_000, 0), 4_999, 5_000), [0, 0])
    assert.deepEqual(turns(new HealthWindow(5_000, 0), 5_000, 9_900), [0, 100])
  })

  it('gives a window to the call that waited for it, not to one that comes in it', () =>
    assert.deepEqual(turns(new HealthWindow(5_000, 0), 0, 4_000, 5_500), [0, 1_000, 4_500]))

  it('saves up nothing in quiet times', () =>
    assert.deepEqual(turns(new HealthWindow(5_000, 200), 200, 60_200, 60_200), [0, 0, 5_000]))
})

describe('books', () => {
  const payment = (id: string, cents: number, requestedAtMs: number) => ({ id, cents, requestedAtMs })

  it('stores an id once and keeps the first', () => {
    const books = new Books()
    assert.equal(books.insert(payment('a', 1990, 1_000)), true)
    assert.equal(books.insert(payment('a', 5, 9_000)), false)
    assert.deepEqual(books.find('A'), payment('a', 1990, 1_000))
    assert.deepEqual(books.totals(), { requests: 1, cents: 1990 })
    books.clear()
    assert.equal(books.find('a'), undefined)
    assert.deepEqual(books.totals(), { requests: 0, cents: 0 })
  })

  it('sums every range as a plain list does, both bounds included', () => {
    const timeMs = fc.oneof(fc.integer({ min: -3_000, max: 6_000 }), fc.constantFrom(-1, 0, 999, 1_000, 1_999, 2_000))
    const list = fc.array(fc.tuple(fc.integer({ min: 0, max: 1e10 }), timeMs))
    fc.assert(
      fc.property(list, timeMs, timeMs, (entries, fromMs, toMs) => {
        const books = new Books()
        entries.forEach(([cents, atMs], index) => books.insert(payment(String(index), cents, atMs)))
        const within = entries.filter(([, atMs]) => atMs >= fromMs && atMs <= toMs)
        const expected = { requests: within.length, cents: within.reduce((sum, [cents]) => sum + cents, 0) }
        assert.deepEqual(books.totals(fromMs, toMs), expected)
      })
    )
  })
})

describe('payment body', () => {
  const id = '4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3'
  const good = { correlationId: id.toUpperCase(), amount: 19.9, requestedAt: '2026-07-15T12:34:56.000Z' }
  const stored = { id, cents: 1990, requestedAtMs: Date.UTC(2026, 6, 15, 12, 34, 56) }

  it('is taken apart', () => assert.deepEqual(decodePayment(JSON.stringify(good)), stored))

  it('is refused when a field is missing or wrong', () => {
    const fields = [
      { correlationId: 'abc' },
      { correlationId: 7 },
      { amount: '19.9' },
      { amount: 0 },
      { amount: -1 },
      { amount: 1e18 },
      { requestedAt: 'yesterday' },
      { requestedAt: '1' },
      { requestedAt: undefined }
    ]
    const bad = fields.map(field => JSON.stringify({ ...good, ...field }))
    for (const body of ['', 'null', '[]', '"x"', '{"', ...bad]) assert.equal(decodePayment(body), undefined, body)
  })

  it('has its time read as UTC unless it says otherwise', () => {
    assert.equal(parseTime('2026-07-15T12:34:56'), stored.requestedAtMs)
    assert.equal(parseTime('2026-07-15T14:34:56+02:00'), stored.requestedAtMs)
  })

  it('has its amount rounded to two decimals, half away from zero, as written', () => {
    // 1.005, 10.005 and 2.675 lie below the half as doubles.
    const cases = [
      [19.9, 1990],
      [1.005, 101],
      [10.005, 1001],
      [2.675, 268],
      [0.004, 0],
      [0.005, 1],
      [19.994, 1999],
      [19.996, 2000],
      [1e-9, 0]
    ] as const
    for (const [amount, cents] of cases) assert.equal(centsRounded(amount), cents, String(amount))
    fc.assert(fc.property(fc.integer({ min: 1, max: 1e12 }), cents => assert.equal(centsRounded(cents / 100), cents)))
  })

  it('has decimals written without going through floats', () => {
    assert.equal(decimal(1990n, 2), '19.90')
    assert.equal(decimal(5n, 2), '0.05')
    assert.equal(decimal(995_000n, 6), '0.995')
    assert.equal(decimal(900_719_925_474_099_301n, 2), '9007199254740993.01')
  })
})

describe('faults', () => {
  const ids = Array.from({ length: 2_000 }, (_, index) => `id-${index}`)
  const withFaults = (faults: unknown[], seed = 0) => {
    const set = new Faults()
    assert.equal(set.replace({ seed, faults }), undefined)
    return set
  }
  const hit = (set: Faults, order: string[]) => new Set(order.filter(id => set.choose(id) !== undefined))

  it('hit the share of payments that was asked for', () => {
    const count = hit(withFaults([{ kind: 'reset', insert: true, probability: 0.1 }]), ids).size
    assert.ok(count > 150 && count < 250, `${count} of 2000`)
    assert.equal(hit(withFaults([{ kind: 'reset', insert: true, probability: 0 }]), ids).size, 0)
    assert.equal(hit(withFaults([{ kind: 'reset', insert: true, probability: 1 }]), ids).size, 2_000)
  })

  it('hit the same payments with the same seed in any order, others with another', () => {
    const rule = { kind: 'cut', insert: false, probability: 0.3 }
    const first = hit(withFaults([rule], 1), ids)
    assert.deepEqual(hit(withFaults([rule], 1), [...ids].reverse()), new Set([...first].reverse()))
    assert.notDeepEqual(hit(withFaults([rule], 2), ids), first)
  })

  it('do not hit a payment for ever: each of its arrivals is drawn anew', () => {
    const set = withFaults([{ kind: 'reset', insert: false, probability: 0.5 }])
    const outcomes = new Set(Array.from({ length: 40 }, () => set.choose('the same') === undefined))
    assert.equal(outcomes.size, 2)
  })

  it('count down, the first that applies first, and tell how often they came', () => {
    const set = withFaults([
      { kind: 'status', status: 404, next: 1 },
      { kind: 'garbage', insert: true, next: 2 }
    ])
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map(id => set.choose(id)?.kind),
      ['status', 'garbage', 'garbage', undefined]
    )
    assert.deepEqual(set.toJSON(), {
      seed: 0,
      faults: [
        { kind: 'status', insert: false, status: 404, next: 0, fired: 1 },
        { kind: 'garbage', insert: true, next: 0, fired: 2 }
      ]
    })
    assert.equal(set.replace({}), undefined)
    assert.deepEqual(set.toJSON(), { seed: 0, faults: [] })
  })

  it('are refused, and leave the old ones, when they make no sense', () => {
    const set = withFaults([{ kind: 'reset', insert: true, next: 1 }])
    const bad: [unknown, RegExp][] = [
      [{ faults: 'reset' }, /list/],
      [{ seed: 'x' }, /seed/],
      [{ faults: [{ kind: 'fire', insert: true, next: 1 }] }, /faults\[0\]: kind/],
      [{ faults: [{ kind: 'reset', next: 1 }] }, /insert/],
      [{ faults: [{ kind: 'reset', insert: true }] }, /probability/],
      [{ faults: [{ kind: 'reset', insert: true, next: 1, probability: 1 }] }, /probability/],
      [{ faults: [{ kind: 'status', status: 500, next: 1 }] }, /400 to 499/],
      [{ faults: [{ kind: 'status', status: 404, insert: true, next: 1 }] }, /insert/]
    ]
    for (const [body, problem] of bad) assert.match(set.replace(body as Record<string, unknown>) ?? '', problem)
    assert.equal(set.choose('a')?.kind, 'reset')
  })
})
