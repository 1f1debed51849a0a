import type { ReceivedStatus } from './status-json.ts'

/** What a second was like; null where the system could not be reached. */
export type Sample = { accepted: number; settled: number; waiting: number } | null

/** All that the screen shows. */
export type View = {
  /** Where the status comes from, as a person would type it. */
  address: string
  /** The last status that came. */
  status: ReceivedStatus | null
  /** Why no status comes now, and since when; null while it does. */
  lost: { reason: string; since: string } | null
  /** One for each try, the latest last. */
  samples: Sample[]
}

/** A minute. */
const SAMPLES_MAX = 60

export function emptyView(address: string): View {
  return { address, status: null, lost: null, samples: [] }
}

export function answered(view: View, status: ReceivedStatus): View {
  const sample = status.isCurrent
    ? { accepted: status.acceptedPerSecond, settled: status.settledPerSecond, waiting: status.queue.waiting }
    : null
  return { ...view, status, lost: null, samples: [...view.samples, sample].slice(-SAMPLES_MAX) }
}

export function failed(view: View, reason: string, at: string): View {
  return {
    ...view,
    lost: { reason, since: view.lost?.since ?? at },
    samples: [...view.samples, null].slice(-SAMPLES_MAX)
  }
}
