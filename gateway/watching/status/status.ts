import type { Figures } from './figures.ts'

/** What `GET /status` tells. */
export type Status = Figures & {
  /** What is wrong, in sentences; empty when all is well. */
  problems: string[]
  /** False while Redis does not answer: the figures are then those of `at`, the last that were read. */
  isCurrent: boolean
  /** The gateway that answers; nothing else depends on it. */
  answeredBy: string
}
