// What must be: the account that the test keeps of what Redis was asked, in the order in which Redis did it, and what
// it replied. Whatever contradicts the guarantees is thrown at once.
import { uuidOf } from '../../shared/id-memory.ts'
import type { ProcessorName } from '../../shared/payment.ts'
import { calledBy, type Carried, type Command } from './connection.ts'
import type { ModelProcessor } from './processor.ts'
import { decidingMs, type State } from './state.ts'

export class Violation extends Error {
  override name = 'Violation'
}

export function must(condition: boolean, text: () => string): asserts condition {
  if (!condition) throw new Violation(text())
}

export type Payment = {
  id: string
  cents: number
  entryId: string
  place: 'queue' | 'dead letter' | 'settled'
  settled: Counted | undefined
  rememberedUntilMs: number
}

/** A payment as it was added to the totals. */
export type Counted = { processor: ProcessorName; cents: number; requestedAtMs: number }

/** A call of one of the pipeline's functions. */
type Call = { name: string; args: string[] }

export class Ledger {
  /** By id: what was accepted since the last purge. */
  readonly payments = new Map<string, Payment>()
  readonly byEntry = new Map<string, Payment>()
  /** What is no payment, put there by hand: entries of the queue, and dead letters. */
  readonly malformed = new Set<string>()
  readonly malformedLetters = new Set<string>()
  readonly counted: Counted[] = []
  /** Ids that a worker has had to do with, ever: a purge does not call back what is under way. */
  readonly handedOut = new Set<string>()
  /**
   * Ids that were accepted again after they were forgotten, or purged while under way: nothing is promised for them.
   */
  readonly repeated = new Set<string>()
  /** The latest time that Redis has known, by its clock or by the time that decides. */
  latestMs = 0
  exactSince = ''
  #beatMs = 0
  readonly #entryIds = new Set<string>()
  readonly #processors: Record<ProcessorName, ModelProcessor>

  constructor(processors: Record<ProcessorName, ModelProcessor>) {
    this.#processors = processors
  }

  /** Whether the pipeline has promised to know this id now. */
  mustRemember(id: string): boolean {
    const payment = this.payments.get(id)
    return payment !== undefined && this.latestMs < payment.rememberedUntilMs
  }

  noteTime(state: State, clockMs: number): void {
    this.latestMs = Math.max(this.latestMs, clockMs, decidingMs(state, clockMs))
  }

  /** What a command did; `before` is what Redis held before it. Returns whether the totals may have changed. */
  note(command: Command, carried: Carried, before: State, clockMs: number): boolean {
    if ('error' in carried || command.name !== 'call') return false
    const [, , keyCount, ...rest] = command.args.map(String)
    const call = { name: calledBy(command), args: rest.slice(Number(keyCount)) }
    const nowMs = decidingMs(before, clockMs)
    switch (call.name) {
      case 'accept':
        this.#accepted(call, carried.reply as string, before, nowMs)
        return false
      case 'take':
        this.#taken(call, carried.reply as [string, number, string[], ...string[]], before, nowMs)
        return false
      case 'reclaim':
        this.#reclaimed(carried.reply as [number, string[], ...string[]])
        return false
      case 'beat':
        this.#beaten(Number((carried.reply as unknown[])[0]))
        return false
      case 'settle':
        return this.#settled(call, carried.reply as string[])
      case 'bury':
        this.#buried(call, carried.reply as number)
        return false
      case 'redrive':
        this.#redriven(call, String(carried.reply), before, nowMs)
        return false
      case 'discard':
        this.#discarded(call, String(carried.reply), before)
        return false
      case 'purge':
        this.#purged()
        return true
      case 'forget_totals':
        this.#forgotten(call.args[0] ?? '')
        return true
      default:
        return false
    }
  }

  #accepted({ args }: Call, letters: string, before: State, nowMs: number): void {
    const [queuedMax = '', retentionMs, ...flat] = args
    let room = Number(queuedMax) - before.queue.size
    for (const [index, letter] of Array.from(letters).entries()) {
      const [id = '', cents = ''] = [flat[index * 3 + 1], flat[index * 3 + 2]]
      const known = this.payments.get(id)
      if (letter === 'A') {
        must(!this.mustRemember(id), () => `${id} is accepted twice`)
        must(room-- > 0, () => `${id} is accepted although the queue is full`)
        if (known) this.byEntry.delete(known.entryId)
        if (known || this.handedOut.has(id)) this.repeated.add(id)
        // It is found in the queue by the next look at Redis.
        this.payments.set(id, {
          id,
          cents: Number(cents),
          entryId: '',
          place: 'queue',
          settled: undefined,
          rememberedUntilMs: nowMs + Number(retentionMs)
        })
      } else if (letter === 'F') {
        must(room <= 0, () => `${id} is refused although there is room`)
        must(!this.mustRemember(id), () => `${id} is refused although it is a duplicate`)
      } else {
        must(
          known !== undefined || this.repeated.has(id),
          () => `${id} is called a duplicate or a conflict, and nobody has sent it before`
        )
        if (known)
          must(
            (letter === 'D') === (known.cents === Number(cents)),
            () => `${id} over ${cents} cents gets ${letter}, and was accepted over ${known.cents}`
          )
      }
    }
  }

  #taken(
    { args }: Call,
    [, waiting, , ...flat]: [string, number, string[], ...string[]],
    before: State,
    nowMs: number
  ): void {
    const [, , , countMax, agoMs, leaveCount] = args
    must(
      flat.length / 3 <= Number(countMax),
      () => `a take hands out ${flat.length / 3} payments, and ${countMax ?? ''} were asked for`
    )
    if (flat.length > 0 && Number(leaveCount) > 0)
      must(
        waiting >= Number(leaveCount),
        () => `a take leaves ${waiting} waiting, and was to leave ${leaveCount ?? ''}`
      )
    for (let at = 0; at < flat.length; at += 3) {
      const [entryId = '', id = '', cents] = [flat[at], flat[at + 1], flat[at + 2]]
      const payment = this.#handOut(entryId, id, cents)
      if (payment)
        must(
          !before.inFlight.has(entryId),
          () => `${id} is handed out although it is in flight: ${before.inFlight.get(entryId) ?? ''}`
        )
      if (agoMs !== '')
        must(
          Number(entryId.split('-')[0]) <= nowMs - Number(agoMs),
          () => `${entryId} is handed out as if it were ${agoMs ?? ''} ms old at ${nowMs}`
        )
    }
  }

  #reclaimed([, , ...flat]: [number, string[], ...string[]]): void {
    for (let at = 0; at < flat.length; at += 4) this.#handOut(flat[at] ?? '', flat[at + 1] ?? '', flat[at + 2])
  }

  #handOut(entryId: string, id: string, cents: string | undefined): Payment | undefined {
    this.handedOut.add(id)
    const payment = this.byEntry.get(entryId)
    if (this.repeated.has(id)) return undefined
    must(
      payment?.id === id && String(payment.cents) === cents && payment.place === 'queue',
      () => `${entryId} is handed out as ${id} over ${cents ?? ''} cents, which is no open payment`
    )
    return payment
  }

  #beaten(nowMs: number): void {
    must(nowMs >= this.#beatMs, () => `the time that decides goes back from ${this.#beatMs} to ${nowMs}`)
    this.#beatMs = nowMs
  }

  #settled({ args }: Call, settledBefore: string[]): boolean {
    const [, name, , count] = args
    const processor = this.#processors[name as ProcessorName]
    for (let index = 0; index < Number(count); index++) {
      const entryId = args[4 + index * 3] ?? ''
      const [, cents, timeMs] = /^(\d+) [df](\d+)$/.exec(args[6 + index * 3] ?? '') ?? []
      const payment = this.byEntry.get(entryId)
      const id = uuidOf(args[5 + index * 3] ?? '')
      if (settledBefore.length > 0) {
        if (settledBefore.includes(entryId) && !this.repeated.has(id))
          must(payment?.place !== 'queue', () => `${payment?.id ?? ''} is called settled, and is not`)
        continue
      }
      const counted = { processor: processor.name, cents: Number(cents), requestedAtMs: Number(timeMs) }
      this.counted.push(counted)
      if (this.repeated.has(id)) continue
      must(
        payment?.id === id && payment.place === 'queue',
        () => `${id} of ${entryId} is counted and is no open payment`
      )
      const stored = processor.stored.get(id)
      must(
        stored?.cents === counted.cents && stored.requestedAtMs === counted.requestedAtMs,
        () =>
          `${id} is counted at ${processor.name} as ${JSON.stringify(counted)}, and stored there is ${JSON.stringify(stored)}`
      )
      payment.place = 'settled'
      payment.settled = counted
    }
    return settledBefore.length === 0
  }

  #buried({ args }: Call, moved: number): void {
    if (moved === 0) return
    const payment = this.byEntry.get(args[1] ?? '')
    if (payment === undefined && this.repeated.size > 0) return
    must(payment?.place === 'queue', () => `${args[1] ?? ''} is buried and is no open payment`)
    for (const { name, rejected } of Object.values(this.#processors)) {
      must(rejected.has(payment.id), () => `${payment.id} is buried, and ${name} has never refused it for good`)
    }
    payment.place = 'dead letter'
  }

  #redriven({ args }: Call, result: string, before: State, nowMs: number): void {
    const [letterId = '', retentionMs] = args
    const id = before.letters.get(letterId)?.[1] ?? ''
    const payment = this.payments.get(id)
    if (result === 'gone') must(!before.letters.has(letterId), () => `${letterId} is called gone`)
    if (result === 'known') must(this.repeated.has(id), () => `${id} is a dead letter, and is called accepted again`)
    if (result === 'malformed')
      must(
        this.malformedLetters.has(letterId) || this.#isMoved(before.letters.get(letterId)),
        () => `${letterId} is called malformed`
      )
    if (result !== 'redriven' || this.repeated.has(id)) return
    must(payment?.place === 'dead letter', () => `${id} is redriven and is no dead letter`)
    this.byEntry.delete(payment.entryId)
    for (const { rejected } of Object.values(this.#processors)) rejected.delete(id)
    Object.assign(payment, {
      place: 'queue',
      entryId: '',
      rememberedUntilMs: Math.max(payment.rememberedUntilMs, nowMs + Number(retentionMs))
    })
  }

  /** An entry that a take or a reclaim moved to the dead letters. */
  #isMoved(fields: readonly string[] | undefined): boolean {
    return fields?.[0] === 'accepted' && this.malformed.has(fields[1] ?? '')
  }

  #discarded({ args: [letterId = ''] }: Call, result: string, before: State): void {
    const isMalformed = this.malformedLetters.has(letterId) || this.#isMoved(before.letters.get(letterId))
    const expected = !before.letters.has(letterId) ? 'gone' : isMalformed ? 'discarded' : 'payment'
    must(result === expected, () => `discarding ${letterId} gives ${result} and not ${expected}`)
  }

  #forgotten(time: string): void {
    if (time > this.exactSince) this.exactSince = time
  }

  #purged(): void {
    this.payments.clear()
    this.byEntry.clear()
    this.malformed.clear()
    this.malformedLetters.clear()
    this.counted.length = 0
    this.exactSince = ''
  }

  /** Gives what was just accepted its entry; each once, and in order. */
  noteEntry(entryId: string, id: string): void {
    must(!this.#entryIds.has(entryId), () => `the entry id ${entryId} stands for a second payment`)
    this.#entryIds.add(entryId)
    const payment = this.payments.get(id)
    if (payment?.place !== 'queue' || payment.entryId !== '') return
    payment.entryId = entryId
    this.byEntry.set(entryId, payment)
  }

  /** Ids that a client may send again without being promised anything else than what is checked. */
  isUsable(id: string): boolean {
    if (this.repeated.has(id)) return false
    return this.payments.has(id) ? this.mustRemember(id) : !this.handedOut.has(id)
  }
}
