/**
 * What the parts of the pipeline take of Redis's memory: the queue with what is in flight and the dead letters, the
 * memory of ids, the totals.
 */
export type MemoryParts = { queueBytes: number; idsBytes: number; totalsBytes: number }

/** What `weigh` found, in shared/redis/lua/memory.lua. */
export type Weighed = {
  queueBytes: number
  keyCount: number
  idsBytes: number
  /** Null where there were too many keys to look at all. */
  totalsBytes: number | null
  /** What others keep in the same Redis. */
  othersBytes: number
  /** What Redis has for its keys and all they hold, without the tables that find them. */
  datasetBytes: number
}

/** What Redis counts with each key and not with the dataset: 24 bytes of an entry, 16 of an object. */
const KEY_BYTES = 40
/**
 * What it counts with the dataset and is none, such as buffers and tables of expiry: 0.6 to 0.9 MB measured after
 * traffic.
 */
const OWN_BYTES = 700_000

/**
 * The share of each part. The totals are of all sizes, and a few minutes of heavy traffic take more than the rest of a
 * month, so that no sample knows them: where not all keys were looked at, they are what remains of the whole, to within
 * a megabyte.
 */
export function memoryPartsOf({
  queueBytes,
  keyCount,
  idsBytes,
  totalsBytes,
  othersBytes,
  datasetBytes
}: Weighed): MemoryParts {
  const remaining = datasetBytes + keyCount * KEY_BYTES - OWN_BYTES - queueBytes - idsBytes - othersBytes
  return { queueBytes, idsBytes, totalsBytes: totalsBytes ?? Math.max(0, remaining) }
}
