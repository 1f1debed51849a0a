// Goal: a histogram keeps times to within its bucket, adds up, and travels, without losing any.
// Method: a property over any times, and times at the edges of buckets.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  copyOf,
  countOf,
  createHistogram,
  cumulativeByDoubling,
  fromSparse,
  meanMs,
  quantileMs,
  addSample,
  since,
  sumOf,
  toSparse
} from '../../shared/watching/histogram.ts'
import { required } from '../support/payments.ts'

function histogramOf(times: readonly number[]) {
  const histogram = createHistogram()
  for (const ms of times) addSample(histogram, ms)
  return histogram
}

test('a quantile is the value asked for, or up to 4.5 % more', () => {
  const someTimes = fc.array(fc.double({ min: 0.07, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 200 })
  fc.assert(
    fc.property(someTimes, fc.double({ min: 0.01, max: 1, noNaN: true }), (times, share) => {
      const exact = required([...times].sort((a, b) => a - b)[Math.ceil(times.length * share) - 1])
      const told = required(quantileMs(histogramOf(times), share))
      assert(told >= exact * 0.999_999 && told <= exact * 1.045, `${told} for ${exact}`)
    })
  )
})

test('what is too small or too large for any bucket is counted in the first and the last one', () => {
  const histogram = histogramOf([0, -1, 0.001, 1e9])
  const [median, largest] = [quantileMs(histogram, 0.5), quantileMs(histogram, 1)]
  assert.deepEqual([countOf(histogram), median, largest], [4, 0.0625, 65_536])
})

test('powers of two fall into the bucket that ends there, as Prometheus wants it', () => {
  const steps = new Map(cumulativeByDoubling(histogramOf([1, 2, 2.01, 4])).map(({ upToMs, count }) => [upToMs, count]))
  const counts = [0.5, 1, 2, 4, 8, 32_768].map(ms => steps.get(ms))
  assert.deepEqual(counts, [0, 1, 2, 4, 4, 4])
})

test('several histograms add up, and an earlier copy can be taken away again', () => {
  const first = histogramOf([1, 5, 9])
  const earlier = copyOf(first)
  addSample(first, 100, 3)
  const recent = since(first, earlier)
  assert.deepEqual([countOf(recent), meanMs(recent)], [3, 100])
  const both = sumOf([earlier, recent])
  assert.deepEqual([both.counts, both.sumMs], [first.counts, first.sumMs])
})

test('it travels as the buckets that are not empty', () => {
  const histogram = histogramOf([1, 1, 300])
  const sparse = toSparse(histogram)
  assert.equal(sparse.counts.length, 4)
  assert.deepEqual(fromSparse(JSON.parse(JSON.stringify(sparse)) as typeof sparse), histogram)
  // A bucket that only another version knows does no harm.
  assert.equal(countOf(fromSparse({ sumMs: 1, counts: [-1, 5, 99_999, 5] })), 0)
})

test('an empty one has no mean and no quantile', () => {
  const empty = createHistogram()
  assert.deepEqual([meanMs(empty), quantileMs(empty, 0.99)], [undefined, undefined])
})
