/** What the parts of the pipeline take of Redis's memory: the queue with what is in flight and the dead letters, the memory of ids, the totals. */
export type MemoryParts = { queueBytes: number; idsBytes: number; totalsBytes: number }

/** Keys of one kind: how many were looked at, their bytes, and the sum of the squares of these. */
export type WeighedKeys = { count: number; bytes: number; squares: number }

/** What `weigh` in library.lua found. */
export type Weighed = {
  /** Exactly. */
  queueBytes: number
  keyCount: number
  /** So many keys chosen at random; null where all were looked at. */
  sampleCount: number | null
  ids: WeighedKeys
  totals: WeighedKeys
  /** Keys of neither kind, without those of the queue. */
  others: WeighedKeys
  /** What Redis has for its keys and all they hold, without the tables that find them. */
  datasetBytes: number
}

/** A kind of keys that was hit less often says too little of itself. */
const HITS_MIN = 16
/** What Redis counts with each key and not with the dataset: 24 bytes of an entry, 16 of an object. */
const KEY_BYTES = 40
/** What it counts with the dataset and is none, such as buffers and tables of expiry: 0.6 to 0.9 MB measured after traffic. */
const OWN_BYTES = 700_000

/**
 * The share of each part. Where there are too many keys to look at all, ids and totals are told apart by a sample, which alone would
 * be off by a factor of up to 8: a few minutes of heavy traffic are two dozen hashes of totals with megabytes, among 4,096 of ids. But
 * how much they are together is known. So the sample says how much the one is that it is more certain of; the other is what remains.
 */
export function memoryPartsOf({ queueBytes, keyCount, sampleCount, ids, totals, others, datasetBytes }: Weighed): MemoryParts {
  if (sampleCount === null) return { queueBytes, idsBytes: ids.bytes, totalsBytes: totals.bytes }
  const estimate = ({ bytes }: WeighedKeys) => Math.round(bytes / sampleCount * keyCount)
  const uncertainty = ({ count, bytes, squares }: WeighedKeys) =>
    count < HITS_MIN ? Infinity : squares / sampleCount - (bytes / sampleCount) ** 2
  const together = Math.max(0, datasetBytes + keyCount * KEY_BYTES - OWN_BYTES - queueBytes - estimate(others))
  const [byIds, byTotals] = [uncertainty(ids), uncertainty(totals)]
  // Nearly all keys are of others, who share this Redis: what remains is mostly theirs.
  if (byIds === Infinity && byTotals === Infinity) return { queueBytes, idsBytes: estimate(ids), totalsBytes: estimate(totals) }
  if (byIds <= byTotals) {
    const idsBytes = Math.min(estimate(ids), together)
    return { queueBytes, idsBytes, totalsBytes: together - idsBytes }
  }
  const totalsBytes = Math.min(estimate(totals), together)
  return { queueBytes, idsBytes: together - totalsBytes, totalsBytes }
}
