import { Books, type Totals } from './books.ts'
import { Faults, type Fault } from './faults.ts'
import { HealthWindow } from './health-window.ts'
import { Journal } from './journal.ts'
import { Limiter } from './limiter.ts'
import { decodePayment, type StoredPayment } from './payment.ts'

export type ProcessorOptions = {
  /** What the processor keeps of each payment, in hundredths of a percent: 500 is 5 %. */
  feeBasisPoints: number
  token: string
  runningMax: number
  queuedMax: number
  healthWindowMs: number
  /** Where bookings outlive the process; null keeps them in memory only. */
  journalPath: string | null
}

/** What the client of a payment gets: a status with a JSON body, or one of the things that befall connections. */
export type Answer =
  | { kind: 'status'; status: number; body: string }
  | { kind: 'reset' }
  | { kind: 'silent' }
  | { kind: 'garbage' }
  | { kind: 'cut' }

const message = (status: number, text: string): Answer => ({ kind: 'status', status, body: `{"message":"${text}"}` })
const PROCESSED = message(200, 'payment processed successfully')
const BAD_BODY = message(400, 'wants correlationId (UUID), amount (above 0) and requestedAt (ISO 8601)')
const DUPLICATE = message(422, 'a payment with this correlationId exists')
const TOO_MANY = message(429, 'too many requests')
const FAILING = message(500, 'the processor is failing')

/**
 * A payment processor without its HTTP interface. A payment goes through limiter, delay, failure flag and insert, in
 * this order, and nothing stops it on its way: whether its client still listens is no concern of this class.
 */
export class Processor {
  readonly faults = new Faults()
  readonly feeBasisPoints: number
  token: string
  delayMs = 0
  isFailing = false
  /** Payments that were answered, by status or by fault; a count for tests. */
  readonly answered: Record<string, number> = {}
  readonly #books = new Books()
  readonly #limiter: Limiter
  readonly #healthWindow: HealthWindow
  readonly #journal: Journal | undefined
  #isHolding = false
  readonly #held: (() => void)[] = []

  /** @throws when the journal can't be read or written */
  constructor(options: ProcessorOptions, nowMs: number) {
    this.feeBasisPoints = options.feeBasisPoints
    this.token = options.token
    this.#limiter = new Limiter(options)
    this.#healthWindow = new HealthWindow(options.healthWindowMs, nowMs)
    if (options.journalPath !== null) {
      this.#journal = new Journal(options.journalPath, payment => this.#books.insert(payment))
    }
  }

  get running(): number {
    return this.#limiter.running
  }

  get queued(): number {
    return this.#limiter.queued
  }

  get bookings(): number {
    return this.#books.size
  }

  /** `POST /payments`. `answer` is called once, within this call when nothing makes the payment wait. */
  pay(body: string, answer: (answer: Answer) => void): void {
    const count = (given: Answer) => {
      const key = given.kind === 'status' ? String(given.status) : given.kind
      this.answered[key] = (this.answered[key] ?? 0) + 1
      answer(given)
    }
    const isAdmitted = this.#limiter.enter(() => {
      const payment = decodePayment(body)
      if (payment === undefined) {
        this.#limiter.leave()
        count(BAD_BODY)
      } else if (this.delayMs === 0) {
        this.#finish(payment, count)
      } else {
        setTimeout(() => this.#finish(payment, count), this.delayMs)
      }
    })
    if (!isAdmitted) count(TOO_MANY)
  }

  /**
   * While it holds, payments stop behind the delay, each in its place of the limiter; then they all go on, in order. No
   * real processor has this: it is a delay that lasts until a test has done what has to come before its end.
   */
  hold(isHolding: boolean): void {
    this.#isHolding = isHolding
    if (isHolding) return
    for (const goOn of this.#held.splice(0)) goOn()
  }

  /** `GET /payments/service-health`: calls back with the body once it is this call's turn. False means 429. */
  askHealth(nowMs: number, answer: (body: string) => void): boolean {
    const turn = this.#healthWindow.ask(nowMs)
    if (turn.kind === 'refused') return false
    const reply = () => answer(`{"failing":${this.isFailing},"minResponseTime":${this.delayMs}}`)
    if (turn.waitMs === 0) reply()
    else setTimeout(reply, turn.waitMs)
    return true
  }

  find(id: string): StoredPayment | undefined {
    // What is told must be what a restart still knows.
    this.#journal?.flush()
    return this.#books.find(id)
  }

  totals(fromMs?: number, toMs?: number): Totals {
    this.#journal?.flush()
    return this.#books.totals(fromMs, toMs)
  }

  /** Payments that are in their delay at this moment are stored afterwards. */
  purge(): void {
    this.#books.clear()
    this.#journal?.clear()
  }

  close(): void {
    this.#journal?.close()
  }

  #finish(payment: StoredPayment, answer: (answer: Answer) => void): void {
    if (this.#isHolding) {
      this.#held.push(() => this.#finish(payment, answer))
      return
    }
    const fault = this.faults.choose(payment.id)
    const given = fault === undefined ? this.#book(payment) : this.#bookFaultily(payment, fault)
    this.#limiter.leave()
    // A 422 waits as well: the booking that it tells of may be of this very turn.
    if (this.#journal === undefined) answer(given)
    else this.#journal.whenWritten(() => answer(given))
  }

  #bookFaultily(payment: StoredPayment, fault: Fault): Answer {
    if (fault.insert) this.#book(payment)
    return fault.kind === 'status' ? message(fault.status, 'refused by a fault') : { kind: fault.kind }
  }

  #book(payment: StoredPayment): Answer {
    if (this.isFailing) return FAILING
    if (!this.#books.insert(payment)) return DUPLICATE
    this.#journal?.append(payment)
    return PROCESSED
  }
}
