// A processor in memory, as unpleasant as the real ones: a request goes on after its client gave up and may be stored
// at any time after that, a duplicate gets 422, and a refusal stores nothing.
import {
  outcomeOfAnswer,
  outcomeOfError,
  lookupOfAnswer,
  type LookupOutcome,
  type SendOutcome
} from '../../processor-worker/outcome.ts'
import { decimalFromCents } from '../../shared/money.ts'
import type { Payment, ProcessorName } from '../../shared/payment.ts'

export type Stored = { cents: number; requestedAtMs: number }

export type Request = { correlationId: string } & (
  | { kind: 'payment'; cents: number; requestedAtMs: number; done: ((outcome: SendOutcome) => void) | undefined }
  | { kind: 'lookup'; done: (outcome: LookupOutcome) => void }
)

/** An answer that its client has not heard yet. */
export type OpenAnswer = { text: string; hear: () => void }

/** Returning that are about the payment itself. */
export const REJECTIONS = [400, 413, 415]
/** Returning that are not. */
export const REFUSALS = [500, 429, 404, 401, 403, 408]
/** What a proxy says that gave up waiting: the request may go on behind it. */
export const PROXY_GAVE_UP = [502, 504, 503]

export const BEHAVIOURS = [
  'book',
  'book, nobody hears',
  'book, answer garbage',
  'refuse',
  'reject',
  'refuse the connection',
  'time out',
  'proxy gives up',
  'drop'
] as const
export type Behaviour = (typeof BEHAVIOURS)[number]

export class ModelProcessor {
  readonly name: ProcessorName
  readonly stored = new Map<string, Stored>()
  /** What is under way, in order of arrival; the test picks. */
  readonly requests: Request[] = []
  /** Ids that were refused for what they are, since they were accepted or redriven. */
  readonly rejected = new Set<string>()

  constructor(name: ProcessorName) {
    this.name = name
  }

  send({ correlationId, cents }: Payment, requestedAtMs: number): Promise<SendOutcome> {
    return new Promise(done => this.requests.push({ kind: 'payment', correlationId, cents, requestedAtMs, done }))
  }

  lookup(correlationId: string): Promise<LookupOutcome> {
    return new Promise(done => this.requests.push({ kind: 'lookup', correlationId, done }))
  }

  /** Whether it has the payment, or may have it yet. */
  mayHave(correlationId: string): boolean {
    return (
      this.stored.has(correlationId) ||
      this.requests.some(request => request.kind === 'payment' && request.correlationId === correlationId)
    )
  }

  /** Deals with a request. Returns the answer on its way to the client, if there is one. */
  carryOut(request: Request, behaviour: Behaviour, choice: number): OpenAnswer | undefined {
    this.requests.splice(this.requests.indexOf(request), 1)
    return request.kind === 'lookup' ? this.#lookUp(request, behaviour) : this.#pay(request, behaviour, choice)
  }

  #lookUp({ correlationId, done }: Request & { kind: 'lookup' }, behaviour: Behaviour): OpenAnswer {
    const answered = (status: number, body = '') =>
      answerOf(`answers ${status} to the question for it`, done, lookupOfAnswer(status, body, correlationId))
    if (behaviour === 'refuse the connection' || behaviour === 'time out')
      return answerOf('is not reached by a question', done, { kind: 'unknown', reason: behaviour })
    if (behaviour === 'refuse') return answered(500)
    const stored = this.stored.get(correlationId)
    if (stored === undefined) return answered(404)
    const [amount, requestedAt] = [decimalFromCents(stored.cents), new Date(stored.requestedAtMs).toISOString()]
    return answered(200, `{"correlationId":"${correlationId}","amount":${amount},"requestedAt":"${requestedAt}"}`)
  }

  #pay(request: Request & { kind: 'payment' }, behaviour: Behaviour, choice: number): OpenAnswer | undefined {
    const { correlationId, cents, requestedAtMs, done } = request
    const told = (outcome: SendOutcome, text: string) => done && answerOf(text, done, outcome)
    const answered = (status: number, body = '') => told(outcomeOfAnswer(status, body), `answers ${status}`)
    const goesOn = () => this.requests.push({ ...request, done: undefined })
    const of = (statuses: readonly number[]) => statuses[choice % statuses.length] ?? 500
    switch (behaviour) {
      case 'book':
      case 'book, nobody hears':
      case 'book, answer garbage': {
        const isNew = !this.stored.has(correlationId)
        if (isNew) this.stored.set(correlationId, { cents, requestedAtMs })
        if (behaviour === 'book, nobody hears')
          return told(outcomeOfError(new Error('reset'), true), 'books and is cut off')
        if (behaviour === 'book, answer garbage') return answered(200, '<html>')
        return isNew ? answered(200, '{"message":"payment processed successfully"}') : answered(422)
      }
      case 'refuse':
        return answered(of(REFUSALS))
      case 'reject':
        // Nothing is wrong with what is stored already.
        if (this.stored.has(correlationId)) return answered(422)
        this.rejected.add(correlationId)
        return answered(of(REJECTIONS))
      case 'refuse the connection':
        return told(outcomeOfError(new Error('ECONNREFUSED'), false), 'is not reached')
      case 'time out':
        goesOn()
        return told(outcomeOfError(new Error('UND_ERR_HEADERS_TIMEOUT'), true), 'is waited for no longer')
      case 'proxy gives up':
        goesOn()
        return answered(of(PROXY_GAVE_UP))
      case 'drop':
        return told(outcomeOfError(new Error('reset'), true), 'dies over it')
    }
  }
}

function answerOf<T>(text: string, done: (outcome: T) => void, outcome: T): OpenAnswer {
  return {
    text,
    hear: () => done(outcome)
  }
}
