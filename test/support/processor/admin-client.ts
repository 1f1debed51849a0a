import { PATIENCE_MS } from '../eventually.ts'
import type { FaultKind } from './faults.ts'

export type Summary = { totalRequests: number; totalAmount: number; totalFee: number; feePerTransaction: number }
export type State = { running: number; queued: number; bookings: number; answered: Record<string, number> }
export type FaultOrder = {
  kind: FaultKind
  insert?: boolean
  status?: number
  probability?: number
  next?: number
}

/** The admin API of a processor, for tests. Every call throws when the answer is not 2xx. */
export class ProcessorAdmin {
  readonly url: string
  token: string

  constructor(url: string, token = '123') {
    this.url = url
    this.token = token
  }

  async setDelay(delayMs: number): Promise<void> {
    await this.#call('PUT', '/admin/configurations/delay', { delay: delayMs })
  }

  async setFailing(isFailing: boolean): Promise<void> {
    await this.#call('PUT', '/admin/configurations/failure', { failure: isFailing })
  }

  /** Payments stop in the processor while it holds, however long that is, and go on when it no longer does. */
  async setHolding(isHolding: boolean): Promise<void> {
    await this.#call('PUT', '/admin/hold', { hold: isHolding })
  }

  /** Replaces all faults; without arguments it ends them. See faults.ts. */
  async setFaults(faults: FaultOrder[] = [], seed = 0): Promise<void> {
    await this.#call('PUT', '/admin/faults', { seed, faults })
  }

  /** How many times each fault has happened, in the order of setFaults. */
  async faultsFired(): Promise<number[]> {
    const { faults } = JSON.parse(await this.#call('GET', '/admin/faults')) as { faults: { fired: number }[] }
    return faults.map(({ fired }) => fired)
  }

  async summary(range?: { from?: string; to?: string }): Promise<Summary> {
    const query = new URLSearchParams(range).toString()
    return JSON.parse(await this.#call('GET', `/admin/payments-summary?${query}`)) as Summary
  }

  async state(): Promise<State> {
    return JSON.parse(await this.#call('GET', '/admin/state')) as State
  }

  /** Asks for the state until it is as wanted; throws after a minute. */
  async until(isWanted: (state: State) => boolean): Promise<State> {
    const deadlineMs = performance.now() + PATIENCE_MS
    while (true) {
      const state = await this.state()
      if (isWanted(state)) return state
      if (performance.now() > deadlineMs) throw new Error(`the processor did not get there: ${JSON.stringify(state)}`)
    }
  }

  async purge(): Promise<void> {
    await this.#call('POST', '/admin/purge-payments')
  }

  async #call(method: string, path: string, body?: unknown): Promise<string> {
    const response = await fetch(this.url + path, {
      method,
      headers: { 'X-Rinha-Token': this.token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text
  }
}
