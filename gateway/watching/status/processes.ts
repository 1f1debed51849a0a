import type { Observation } from '../../../shared/watching/observe.ts'
import type { ProcessFigures, Received, Report, ReportOf } from '../../../shared/watching/report.ts'

/** One process and its last sign of life. */
export type ProcessSign = {
  name: string
  /** As configured; the name has a random part behind it. */
  label: string
  /** Null if none is known. */
  lastSignAt: string | null
  silentSeconds: number | null
  isAlive: boolean
  startedAt: string | null
  process: ProcessFigures | null
}

export type Seen<Role extends Report['role']> = { sign: ProcessSign; report: ReportOf<Role> | undefined }

/**
 * Processes report once a second, workers beat twice as often: who is silent for longer than this is dead, or stuck.
 */
export const SILENT_AFTER_MS = 3_000

/** The processes of one role and what they reported last, without those that were replaced after they fell silent. */
export function processesOf<Role extends Report['role']>(role: Role, { atMs, reports }: Observation): Seen<Role>[] {
  const ofRole = reports.filter(
    (received): received is Received & { report: ReportOf<Role> } => received.report.role === role
  )
  return ofRole
    .filter(received => !isReplaced(received, ofRole, atMs))
    .map(({ name, report, seenAtMs }) => ({ sign: signOf(name, report, seenAtMs, atMs), report }))
    .sort(byName)
}

/** The same for workers, which Redis knows by their heartbeats and by what they hold as well. */
export function workersOf(observation: Observation): (Seen<'worker'> & { pendingCount: number })[] {
  const { atMs, workers, reports } = observation
  const known = new Map(processesOf('worker', observation).map(seen => [seen.sign.name, { ...seen, pendingCount: 0 }]))
  for (const { name, seenAtMs, pendingCount } of workers) {
    const received = reports.find(each => each.name === name)
    const report = received?.report.role === 'worker' ? received.report : undefined
    const isForgotten = received !== undefined && !known.has(name) && pendingCount === 0
    if (isForgotten) continue
    const lastMs = Math.max(seenAtMs ?? 0, received?.seenAtMs ?? 0)
    known.set(name, { sign: signOf(name, report, lastMs === 0 ? null : lastMs, atMs), report, pendingCount })
  }
  return [...known.values()].sort(byName)
}

function signOf(name: string, report: Report | undefined, seenAtMs: number | null, atMs: number): ProcessSign {
  const silentMs = seenAtMs === null ? null : Math.max(0, atMs - seenAtMs)
  return {
    name,
    label: report?.label ?? name,
    lastSignAt: seenAtMs === null ? null : new Date(seenAtMs).toISOString(),
    silentSeconds: silentMs === null ? null : silentMs / 1_000,
    isAlive: silentMs !== null && silentMs <= SILENT_AFTER_MS,
    startedAt: report ? new Date(report.startedAtMs).toISOString() : null,
    process: report?.process ?? null
  }
}

/** Whether a process of the same label was started after this one had fallen silent. */
function isReplaced(silent: Received, all: readonly Received[], atMs: number): boolean {
  return (
    atMs - silent.seenAtMs > SILENT_AFTER_MS &&
    all.some(
      ({ report, seenAtMs }) =>
        report.label === silent.report.label && report.startedAtMs > silent.seenAtMs && seenAtMs > silent.seenAtMs
    )
  )
}

function byName(a: { sign: ProcessSign }, b: { sign: ProcessSign }): number {
  return a.sign.name < b.sign.name ? -1 : 1
}
