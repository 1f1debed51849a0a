import type { Meter } from './meter.ts'
import type { RunResult, Service } from './result.ts'

/** The system that is measured, as processes of this machine or as containers. */
export type System = {
  mode: RunResult['mode']
  platform: string
  /** HAProxy's. */
  url: string
  processorUrls: { default: string; fallback: string }
  services: Record<Service, Meter>
  /** Of the two processors. */
  models: readonly Meter[]
  /** @throws when a part has ended or was restarted, which makes every figure worthless */
  assertAlive: () => Promise<void>
  stop: () => Promise<void>
}
