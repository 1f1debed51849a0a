import type { Accepting } from '../accepting.ts'
import type { RedisPeak } from '../redis-peak.ts'
import type { ByService, RateResult } from '../result.ts'

/** What one command found: one line of JSON in .results/backlog.jsonl, with its provenance. */
export type BacklogFigures = { payments: number; rate: number; seconds: number; rounds: Round[] }

/** Once without a backlog, once while one drains. */
export type Round = { idle: Accepting; drain: Drain }

export type Drain = {
  /** How fast the queue was filled, straight into Redis. */
  filledPerSecond: number
  /** What Redis's memory grew by, divided by the payments: the queue and the memory of the ids. */
  bytesPerQueued: number
  /** While the queue was filled, and while it drained. */
  filling: RedisPeak
  draining: RedisPeak
  restarts: Restart[]
  /** From when both processors were well again until nothing of the backlog was left. */
  drainSeconds: number
  /** Settled in that time, divided by it; what arrived meanwhile is among it. */
  settledPerSecond: number
  accepting: Accepting
  cores: RateResult['cores']
  coresByService: ByService
  /**
   * How the queue became shorter, from when both processors were well, about once a second; and who had the cores since
   * the sample before.
   */
  samples: { atMs: number; queued: number; cores: RateResult['cores'] }[]
}

export type Restart = {
  signal: 'SIGTERM' | 'SIGKILL'
  queued: number
  logBytes: number
  /** From the signal until the process was gone. */
  stopSeconds: number
  /** From its start until Redis answered: it had read all of its log. */
  loadSeconds: number
  /** From its start until a client had an answer about its payments through HAProxy. */
  serveSeconds: number
}
