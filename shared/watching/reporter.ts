import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Log } from '../log.ts'
import type { Reports } from './reports.ts'
import { renderReport, type Report } from './report.ts'

/** Who reports: `label` as configured or the host's name, `name` unlike any other process's. */
export type Identity = { label: string; name: string; startedAtMs: number }

export function createIdentity(configured: string | null): Identity {
  const label = configured ?? hostname()
  return { label, name: `${label}-${randomBytes(4).toString('hex')}`, startedAtMs: Date.now() }
}

const REPORT_EVERY_MS = 1_000

export type Reporter = {
  /** When Redis last took a report, by `performance.now()`; 0 before the first. */
  sentAtMs: () => number
  /** Ends, and takes the report back, so that nobody misses a process that was stopped on purpose. */
  stop: () => Promise<void>
}

/**
 * Reports once a second for as long as the process lives. Redis away is no news here: the connection's log line says
 * so.
 *
 * @param makeReport called for each report, also while Redis is away, so that what it measures from one call to the
 *   next stays a second's
 */
export function startReporter({
  name,
  reports,
  makeReport,
  log
}: {
  name: string
  reports: Reports
  makeReport: () => Report
  log: Log
}): Reporter {
  let isSending = false
  let sentAtMs = 0
  const tell = async () => {
    const text = renderReport(makeReport())
    // A Redis that hangs is not given more to do.
    if (isSending) return
    isSending = true
    try {
      await reports.send(name, text)
      sentAtMs = performance.now()
    } catch (error) {
      log.debug({ err: error }, 'report not sent')
    } finally {
      isSending = false
    }
  }
  void tell()
  const timer = setInterval(() => {
    void tell()
  }, REPORT_EVERY_MS)
  return {
    sentAtMs: () => sentAtMs,
    async stop() {
      clearInterval(timer)
      await reports.withdraw(name).catch(() => undefined)
    }
  }
}
