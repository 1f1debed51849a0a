// How long it takes from the 202 until a payment is settled, asked of a few payments of our own, as a client would ask:
// GET /payments/{id} until it says settled. Few, because each question is a request that the services have to answer.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'

export type Probes = {
  /** Sends no more, waits until those under way are settled or failed. */
  end: () => Promise<{ settleMs: number[]; accepted: number; failed: number }>
}

/** Asks every so often; as time passes less often, so that a long queue is not asked about all the time. */
const FIRST_POLL_MS = 2
const LATER_POLL_SHARE = 0.05

const POSTS_PER_PROBE = 200
const PER_SECOND = { min: 5, max: 25 }

/** At most 1 % of the payments, of which each costs three or four more requests. */
export function probesPerSecond(ratePerSecond: number): number {
  return Math.min(PER_SECOND.max, Math.max(PER_SECOND.min, ratePerSecond / POSTS_PER_PROBE))
}

/** @param signal ends them at the latest */
export function startProbes(url: string, perSecond: number, signal: AbortSignal): Probes {
  const pool = new Pool(url, { connections: 64, pipelining: 1, headersTimeout: 10_000 })
  const settleMs: number[] = []
  const underWay = new Set<Promise<void>>()
  let accepted = 0
  let failed = 0

  const probe = async () => {
    const correlationId = randomUUID()
    const post = await pool.request({
      method: 'POST',
      path: '/payments',
      headers: { 'content-type': 'application/json' },
      body: `{"correlationId":"${correlationId}","amount":19.90}`
    })
    const acceptedAtMs = performance.now()
    await post.body.dump()
    if (post.statusCode !== 202) throw new Error(`status ${post.statusCode}`)
    accepted += 1
    while (true) {
      await sleep(Math.max(FIRST_POLL_MS, (performance.now() - acceptedAtMs) * LATER_POLL_SHARE), undefined, { signal })
      const answer = await pool.request({ method: 'GET', path: `/payments/${correlationId}` })
      const { status } = (await answer.body.json()) as { status?: string }
      if (status !== 'settled') continue
      settleMs.push(performance.now() - acceptedAtMs)
      return
    }
  }
  const timer = setInterval(() => {
    const running = probe()
      .catch(() => {
        failed += 1
      })
      .finally(() => underWay.delete(running))
    underWay.add(running)
  }, 1_000 / perSecond)
  signal.addEventListener(
    'abort',
    () => {
      clearInterval(timer)
      void pool.destroy()
    },
    { once: true }
  )

  return {
    async end() {
      clearInterval(timer)
      await Promise.all(underWay)
      return { settleMs, accepted, failed }
    }
  }
}
