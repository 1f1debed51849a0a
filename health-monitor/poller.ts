import { Pool } from 'undici'
import type { Health } from '../shared/health.ts'

export type Poller = {
  /** Asks once. A processor that hangs, can't be reached or makes no sense counts as failing, with the reason. */
  poll: (stopping: AbortSignal) => Promise<PollResult>
  close: () => Promise<void>
}

export type PollResult =
  | { kind: 'health'; health: Health }
  | { kind: 'trouble'; health: Health; reason: string }
  /** 429: it is alive, but says nothing now; what was known stays. */
  | { kind: 'too-early' }

/** Polls `GET /payments/service-health` of one processor. */
export function createPoller(origin: string, timeoutMs: number, nowMs: () => number): Poller {
  const pool = new Pool(origin, {
    connections: 1,
    pipelining: 1,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: { timeout: timeoutMs },
    maxResponseSize: 16_384
  })
  return {
    async poll(stopping) {
      const checkedAtMs = nowMs()
      try {
        const signal = AbortSignal.any([stopping, AbortSignal.timeout(timeoutMs)])
        const { statusCode, body } = await pool.request({ path: '/payments/service-health', method: 'GET', signal })
        const text = await body.text()
        return readAnswer(statusCode, text, checkedAtMs)
      } catch (error) {
        return trouble(error instanceof Error ? error.message : String(error), checkedAtMs)
      }
    },
    close: () => pool.destroy()
  }
}

/** Reads a complete answer by the processors' contract. */
export function readAnswer(status: number, body: string, checkedAtMs: number): PollResult {
  if (status === 429) return { kind: 'too-early' }
  if (status !== 200) return trouble(`status ${status}`, checkedAtMs)
  try {
    const answer = JSON.parse(body) as Record<string, unknown> | null
    const failing = answer?.failing
    const minResponseTimeMs = answer?.minResponseTime
    if (typeof failing === 'boolean' && typeof minResponseTimeMs === 'number' && minResponseTimeMs >= 0) {
      return { kind: 'health', health: { failing, minResponseTimeMs, checkedAtMs } }
    }
  } catch {
    /* falls through: not what the contract says */
  }
  return trouble('unreadable answer', checkedAtMs)
}

function trouble(reason: string, checkedAtMs: number): PollResult {
  return { kind: 'trouble', health: { failing: true, minResponseTimeMs: 0, checkedAtMs }, reason }
}
