import type { TroubleKind, TroubleReport } from '../../shared/watching/report.ts'

export type Trouble = {
  /** Something went wrong; only the first time since it went well is logged. */
  begin: (error: unknown) => void
  /** It went well. */
  end: () => void
  /** What the status tells; undefined while all is well. */
  current: () => TroubleReport | undefined
}

export type TroubleLog = {
  onBegin: (error: unknown) => void
  onEnd: (afterMs: number) => void
}

/** A trouble that lasts is one line when it begins, one when it ends, and a sentence of the status meanwhile. */
export function createTrouble(what: TroubleKind, { onBegin, onEnd }: TroubleLog): Trouble {
  let since: { reason: string; sinceMs: number; startedAtMs: number } | undefined
  return {
    begin(error) {
      if (since === undefined) onBegin(error)
      const reason = error instanceof Error ? error.message : String(error)
      since = { sinceMs: Date.now(), startedAtMs: performance.now(), ...since, reason }
    },
    end() {
      if (since) onEnd(Math.round(performance.now() - since.startedAtMs))
      since = undefined
    },
    current: () => since && { what, reason: since.reason, sinceMs: since.sinceMs }
  }
}
