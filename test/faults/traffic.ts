// Clients of the pipeline, through HAProxy. They are not of one kind: some never ask twice, most send again after an
// error, some send everything twice at once, and some try to get another amount in under an id that is taken.
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { decimalFromCents } from '../../shared/money.ts'
import type { Own } from '../support/owner.ts'
import { createRandom, type Random } from '../support/random.ts'
import type { Account } from './invariants.ts'

/** What a request ended with: its status, with what a problem says of itself, or the code of the connection's error. */
export type Ending = { status: number; detail?: string } | { code: string }

export type Traffic = Account & {
  /** Begins to send so many new payments a second, on average. */
  start: (ratePerS: number) => void
  /** Begins no more payments, and resolves when all that were begun have ended. */
  stop: () => Promise<void>
  /** Sends one payment once and keeps account of it. */
  pay: (id: string, cents: number) => Promise<Ending>
  /** Sends so many new payments, as many as `concurrency` at a time; resolves when all have ended. */
  burst: (count: number, concurrency: number) => Promise<void>
  /**
   * Resolves when a request that was sent after `sinceMs` (of performance.now) is accepted; with how long after that
   * was.
   */
  acceptedAgain: (sinceMs: number) => Promise<number>
  /**
   * How requests ended that were not accepted, by status and its reason, or by code. Without the 409s that were asked
   * for.
   */
  errors: Record<string, number>
  /** Requests of any kind. */
  requestCount: () => number
  /** Answers that must not be: an id that was accepted with another amount. */
  violations: string[]
}

/** More are never under way, so that an outage makes clients wait instead of piling them up. */
const UNDER_WAY_MAX = 300
const RETRIES_MAX = 60
const RETRY_PAUSE_MS = 150
const TICK_MS = 10

/** @param seed decides about ids, amounts and habits */
export function createTraffic(own: Own, url: string, seed: number): Traffic {
  const random = createRandom(seed, 'traffic')
  const limits = { connections: 512, pipelining: 1, headersTimeout: 15_000, bodyTimeout: 15_000 }
  const pool = own(new Pool(url, limits), opened => opened.destroy())
  const sent = new Map<string, number>()
  const accepted = new Set<string>()
  const errors: Record<string, number> = {}
  const violations: string[] = []
  const waiting = new Set<{ sinceMs: number; resolve: (ms: number) => void }>()
  const underWay = new Set<Promise<void>>()
  let requestCount = 0
  let timer: NodeJS.Timeout | undefined
  own(undefined, () => clearInterval(timer))

  const post = async (id: string, cents: number): Promise<Ending> => {
    requestCount += 1
    const sentAtMs = performance.now()
    try {
      const body = `{"correlationId":"${id}","amount":${decimalFromCents(cents)}}`
      const headers = { 'content-type': 'application/json' }
      const reply = await pool.request({ path: '/payments', method: 'POST', headers, body })
      const text = await reply.body.text()
      const ending: Ending = { status: reply.statusCode }
      if (!isAccepted(ending)) ending.detail = /"detail":"([^".]*)/.exec(text)?.[1] ?? ''
      else {
        for (const each of waiting) {
          if (each.sinceMs > sentAtMs) continue
          waiting.delete(each)
          each.resolve(performance.now() - each.sinceMs)
        }
      }
      return ending
    } catch (error) {
      return { code: error instanceof Error && 'code' in error ? String(error.code) : String(error) }
    }
  }

  const pay = async (id: string, cents: number): Promise<Ending> => {
    sent.set(id, cents)
    const ending = await post(id, cents)
    if (isAccepted(ending)) accepted.add(id)
    else count(errors, ending)
    return ending
  }

  const payUntilAccepted = async (id: string, cents: number) => {
    for (let attempt = 0; attempt <= RETRIES_MAX; attempt++) {
      if (isAccepted(await pay(id, cents))) return
      await sleep(RETRY_PAUSE_MS)
    }
  }

  const payAnotherAmount = async (id: string, cents: number) => {
    if (!isAccepted(await pay(id, cents))) return
    const ending = await post(id, cents + 1)
    if (isAccepted(ending)) violations.push(`${id} was accepted with ${cents} cents and with another amount`)
    else if (!('status' in ending && ending.status === 409)) count(errors, ending)
  }

  const next = (habits: Random): Promise<void> => {
    const id = habits.uuid()
    const cents = habits.integer(1, 100_000)
    const habit = habits.fraction()
    // A 15 % share each of those who never ask again and of those who ask twice at once; 5 % try a second amount.
    if (habit < 0.15) return pay(id, cents).then(() => undefined)
    if (habit < 0.3) return Promise.all([pay(id, cents), pay(id, cents)]).then(() => undefined)
    if (habit < 0.35) return payAnotherAmount(id, cents)
    return payUntilAccepted(id, cents)
  }

  const begin = () => {
    const work: Promise<void> = next(random).finally(() => underWay.delete(work))
    underWay.add(work)
  }

  return {
    sent,
    accepted,
    errors,
    violations,
    pay,
    requestCount: () => requestCount,
    start(ratePerS) {
      let owed = 0
      let lastMs = performance.now()
      timer = setInterval(() => {
        const nowMs = performance.now()
        // By the clock: ticks of a busy machine come late, and some never.
        for (owed += (ratePerS * (nowMs - lastMs)) / 1_000; owed >= 1; owed--) {
          if (underWay.size < UNDER_WAY_MAX) begin()
        }
        lastMs = nowMs
      }, TICK_MS)
    },
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
    },
    async burst(total, concurrency) {
      let begun = 0
      const client = async () => {
        while (begun++ < total) await pay(random.uuid(), random.integer(1, 100_000))
      }
      await Promise.all(Array.from({ length: concurrency }, client))
    },
    acceptedAgain(sinceMs) {
      return new Promise(resolve => waiting.add({ sinceMs, resolve }))
    }
  }
}

export function isAccepted(ending: Ending): boolean {
  return 'status' in ending && ending.status >= 200 && ending.status < 300
}

function count(errors: Record<string, number>, ending: Ending): void {
  const name = 'status' in ending ? `${ending.status} ${ending.detail ?? ''}` : ending.code
  errors[name] = (errors[name] ?? 0) + 1
}
