/**
 * Faults that a test can order with `PUT /admin/faults` (header `X-Rinha-Token` as for all of `/admin`). The body
 * replaces all faults that were set before; `{}` ends them.
 *
 *     { "seed": 7, "faults": [
 *       { "kind": "reset",   "insert": true,  "probability": 0.05 },
 *       { "kind": "silent",  "insert": false, "next": 3 },
 *       { "kind": "garbage", "insert": true,  "next": 1 },
 *       { "kind": "cut",     "insert": true,  "probability": 0.01 },
 *       { "kind": "status",  "status": 404,   "next": 1 } ] }
 *
 *   kind         what the client of `POST /payments` gets instead of its answer
 *     reset        the connection ends without a byte: closed (FIN), or, started with FRONT=on, reset (RST)
 *     silent       nothing, ever; the connection stays open
 *     garbage      bytes that are no HTTP, then the end of the connection
 *     cut          the first half of the usual 200, then the end of the connection
 *     status       that 4xx status
 *   insert       whether the payment is processed all the same, which stores it unless the processor is failing.
 *                Wanted for all kinds but `status`, which never stores
 *   probability  0 to 1. Which payments are hit is a hash of (seed, place in the list, payment id, how many times
 *                this payment came), so the same seed hits the same payments in whatever order they come
 *   next         in place of `probability`: the next so many payments, whichever they are
 *   seed         a whole number, 0 when missing
 *
 * The first fault of the list that applies is the one that happens: after the limiter and the delay. A request that
 * stays without an answer has given its place in the limiter back.
 *
 * `GET /admin/faults` answers the same shape, with `fired` (how many times so far) in each fault.
 */
export type Fault =
  | {
      kind: 'reset' | 'silent' | 'garbage' | 'cut'
      insert: boolean
    }
  | {
      kind: 'status'
      insert: false
      status: number
    }
export type FaultKind = Fault['kind']

type When = { probability: number } | { next: number }
type Rule = { fault: Fault; when: When; fired: number }

const CONNECTION_KINDS = ['reset', 'silent', 'garbage', 'cut'] as const

export class Faults {
  #rules: Rule[] = []
  #seed = 0
  #arrivals = new Map<string, number>()

  /** The fault for this arrival of the payment, undefined for the usual answer. */
  choose(paymentId: string): Fault | undefined {
    if (this.#rules.length === 0) return undefined
    const arrival = (this.#arrivals.get(paymentId) ?? 0) + 1
    this.#arrivals.set(paymentId, arrival)
    const rule = this.#rules.find(({ when }, index) =>
      'next' in when
        ? when.next > 0
        : hash(`${this.#seed}/${index}/${paymentId}/${arrival}`) < when.probability * 2 ** 32
    )
    if (rule === undefined) return undefined
    rule.fired += 1
    if ('next' in rule.when) rule.when.next -= 1
    return rule.fault
  }

  /** Replaces everything. Returns what is wrong with the body, and then changes nothing. */
  replace(body: Record<string, unknown>): string | undefined {
    const { seed = 0, faults = [] } = body
    if (!Number.isSafeInteger(seed)) return 'seed must be a whole number'
    if (!Array.isArray(faults)) return 'faults must be a list'
    const rules = faults.map(parseRule)
    const problem = rules.findIndex(rule => typeof rule === 'string')
    if (problem >= 0) return `faults[${problem}]: ${rules[problem] as string}`
    this.#seed = seed as number
    this.#rules = rules as Rule[]
    this.#arrivals = new Map()
    return undefined
  }

  toJSON(): unknown {
    return { seed: this.#seed, faults: this.#rules.map(({ fault, when, fired }) => ({ ...fault, ...when, fired })) }
  }
}

function parseRule(given: unknown): Rule | string {
  if (typeof given !== 'object' || given === null) return 'must be an object'
  const { kind, insert, status, probability, next } = given as Record<string, unknown>
  const when = parseWhen(probability, next)
  if (typeof when === 'string') return when
  if (kind === 'status') {
    const isClientError = Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 499
    if (!isClientError || insert === true) return 'status must be 400 to 499, without insert'
    return { fault: { kind, insert: false, status: status as number }, when, fired: 0 }
  }
  const known = CONNECTION_KINDS.find(name => name === kind)
  if (known === undefined) return `kind must be one of ${CONNECTION_KINDS.join(', ')}, status`
  if (typeof insert !== 'boolean') return 'insert must be true or false'
  return { fault: { kind: known, insert }, when, fired: 0 }
}

function parseWhen(probability: unknown, next: unknown): When | string {
  const isProbability = typeof probability === 'number' && probability >= 0 && probability <= 1
  const isCount = Number.isSafeInteger(next) && (next as number) >= 0
  if (isProbability && next === undefined) return { probability }
  if (isCount && probability === undefined) return { next: next as number }
  return 'wants either probability (0 to 1) or next (a count)'
}

/** FNV-1a with a final mix: evenly spread over 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
