import { Pool, type Dispatcher } from 'undici'
import { decimalFromCents } from '../shared/money.ts'
import type { Payment } from '../shared/payment.ts'
import { lookupOfAnswer, outcomeOfAnswer, outcomeOfError, type LookupOutcome, type SendOutcome } from './outcome.ts'

export type ProcessorClient = {
  /** Sends a payment. `done` is called exactly once, never throws back into the connection. */
  send: (payment: Payment, requestedAtMs: number, done: (outcome: SendOutcome) => void) => void
  /** Asks for a payment as it is stored. */
  lookup: (correlationId: string) => Promise<LookupOutcome>
  /** Open connections, those for lookups included. */
  connectionCount: () => number
  close: () => Promise<void>
}

/** Answers of processors are short; what is longer is not theirs. */
const ANSWER_BYTES_MAX = 16_384
/** Lookups have connections of their own, so that a slow processor's payments are not in their way. */
const LOOKUP_CONNECTIONS = 32

/**
 * A processor behind keep-alive connections, one request at a time on each: a processor answers one
 * connection's requests in order, so pipelining would add up its delays.
 */
export function createProcessorClient(
  origin: string,
  { timeoutMs, inFlightMax }: { timeoutMs: number; inFlightMax: number }
): ProcessorClient {
  const timeouts = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs }
  const limits = {
    pipelining: 1,
    connect: { timeout: Math.min(timeoutMs, 5_000) },
    maxResponseSize: ANSWER_BYTES_MAX,
    ...timeouts
  }
  const payments = new Pool(origin, { connections: inFlightMax, ...limits })
  const lookups = new Pool(origin, { connections: LOOKUP_CONNECTIONS, ...limits })

  return {
    send({ correlationId, cents }, requestedAtMs, done) {
      const requestedAt = new Date(requestedAtMs).toISOString()
      const body = `{"correlationId":"${correlationId}","amount":${decimalFromCents(cents)},"requestedAt":"${requestedAt}"}`
      // dispatch with a handler costs two thirds of what request() costs.
      payments.dispatch(
        { path: '/payments', method: 'POST', headers: ['content-type', 'application/json'], body },
        new AnswerHandler(done)
      )
    },

    async lookup(correlationId) {
      try {
        const { statusCode, body } = await lookups.request({ path: `/payments/${correlationId}`, method: 'GET' })
        return lookupOfAnswer(statusCode, await body.text(), correlationId)
      } catch (error) {
        return { kind: 'unknown', reason: error instanceof Error ? error.message : String(error) }
      }
    },

    connectionCount: () => payments.stats.connected + lookups.stats.connected,

    async close() {
      await Promise.all([payments.destroy(), lookups.destroy()])
    }
  }
}

class AnswerHandler implements Dispatcher.DispatchHandler {
  readonly #done: (outcome: SendOutcome) => void
  #wasWritten = false
  #status = 0
  #body = ''

  constructor(done: (outcome: SendOutcome) => void) {
    this.#done = done
  }

  onRequestStart(): void {
    this.#wasWritten = true
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body += chunk.toString('latin1')
  }

  onResponseEnd(): void {
    this.#done(outcomeOfAnswer(this.#status, this.#body))
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#done(outcomeOfError(error, this.#wasWritten))
  }
}
