/**
 * A histogram of times with fixed buckets, 16 a doubling: a value read from it is at most 4.5 % too large, whether it
 * is 0.1 ms or a minute. Recording is one logarithm and one addition, and histograms of several processes add up bucket
 * by bucket.
 */
export type Histogram = { readonly counts: Float64Array; sumMs: number }

const BUCKETS_PER_DOUBLING = 16
/**
 * Bucket `i` holds what is above `upperMs(i - 1)` and at most `upperMs(i)`; the first and the last also hold what lies
 * beyond.
 */
const FIRST_UPPER_LOG2 = -4
const DOUBLINGS = 20
const BUCKET_COUNT = BUCKETS_PER_DOUBLING * DOUBLINGS + 1

export function createHistogram(): Histogram {
  return { counts: new Float64Array(BUCKET_COUNT), sumMs: 0 }
}

/** Notes a time, or `count` equal ones. */
export function addSample(histogram: Histogram, ms: number, count = 1): void {
  const index = Math.ceil((Math.log2(ms) - FIRST_UPPER_LOG2) * BUCKETS_PER_DOUBLING)
  const at = index >= 0 ? Math.min(index, BUCKET_COUNT - 1) : 0
  histogram.counts[at] = (histogram.counts[at] ?? 0) + count
  histogram.sumMs += ms * count
}

export function copyOf({ counts, sumMs }: Histogram): Histogram {
  return { counts: counts.slice(), sumMs }
}

/** What was recorded after `earlier` was copied. */
export function since(later: Histogram, earlier: Histogram): Histogram {
  return {
    counts: later.counts.map((count, index) => count - (earlier.counts[index] ?? 0)),
    sumMs: later.sumMs - earlier.sumMs
  }
}

export function sumOf(histograms: readonly Histogram[]): Histogram {
  const total = createHistogram()
  for (const { counts, sumMs } of histograms) {
    counts.forEach((count, index) => {
      total.counts[index] = (total.counts[index] ?? 0) + count
    })
    total.sumMs += sumMs
  }
  return total
}

export function countOf({ counts }: Histogram): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

export function meanMs(histogram: Histogram): number | undefined {
  const count = countOf(histogram)
  return count === 0 ? undefined : histogram.sumMs / count
}

/** The time that a share of all values does not exceed, e.g. 0.99; undefined when there are no values. */
export function quantileMs(histogram: Histogram, share: number): number | undefined {
  const wanted = Math.max(1, Math.ceil(countOf(histogram) * share))
  let seen = 0
  for (const [index, count] of histogram.counts.entries()) {
    seen += count
    if (seen >= wanted) return upperMs(index)
  }
  return undefined
}

/** How many values there were up to each power of two: Prometheus's cumulative buckets, which fall on ends of ours. */
export function cumulativeByDoubling({ counts }: Histogram): { upToMs: number; count: number }[] {
  const steps: { upToMs: number; count: number }[] = []
  let seen = 0
  counts.forEach((count, index) => {
    seen += count
    // The last bucket also holds what lies beyond its end.
    if (index % BUCKETS_PER_DOUBLING === 0 && index < BUCKET_COUNT - 1)
      steps.push({ upToMs: upperMs(index), count: seen })
  })
  return steps
}

/** As it travels in a report: bucket, count, bucket, count, … of those that are not empty. */
export type SparseHistogram = { sumMs: number; counts: number[] }

export function toSparse({ counts, sumMs }: Histogram): SparseHistogram {
  const sparse: number[] = []
  counts.forEach((count, index) => {
    if (count > 0) sparse.push(index, count)
  })
  return { sumMs: Math.round(sumMs * 1_000) / 1_000, counts: sparse }
}

export function fromSparse({ counts, sumMs }: SparseHistogram): Histogram {
  const histogram = createHistogram()
  for (let at = 0; at + 1 < counts.length; at += 2) {
    const index = counts[at] ?? -1
    if (index >= 0 && index < BUCKET_COUNT) histogram.counts[index] = counts[at + 1] ?? 0
  }
  histogram.sumMs = sumMs
  return histogram
}

function upperMs(index: number): number {
  return 2 ** (FIRST_UPPER_LOG2 + index / BUCKETS_PER_DOUBLING)
}
