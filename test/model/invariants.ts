// What holds at every moment of a run, by all that Redis and the processors hold.
import { HELD_CONSUMER, MEASURES, type Keys } from '../../shared/keys.ts'
import { PROCESSOR_NAMES, type ProcessorName } from '../../shared/payment.ts'
import { parseAttempt, renderAttempt } from '../../shared/redis/attempt-record.ts'
import { cellsOf, isFine } from '../../shared/totals.ts'
import { must, type Ledger, type Payment } from './ledger.ts'
import type { ModelProcessor } from './processor.ts'
import type { State } from './state.ts'

export function assertState(state: State, ledger: Ledger, processors: Record<ProcessorName, ModelProcessor>): void {
  assertQueue(state, ledger)
  assertPending(state)
  assertLetters(state, ledger)
  for (const payment of ledger.payments.values()) {
    if (ledger.repeated.has(payment.id)) continue
    assertInOnePlace(payment, state)
    assertMayBeBooked(payment, state, processors)
  }
  must(
    state.exactSince === ledger.exactSince,
    () => `the totals are exact since ${state.exactSince}, and not ${ledger.exactSince}`
  )
}

function assertQueue({ queue }: State, ledger: Ledger): void {
  for (const [entryId, fields] of queue) {
    if (ledger.malformed.has(entryId)) continue
    const payment = ledger.byEntry.get(entryId)
    if (payment === undefined && ledger.repeated.has(fields[1] ?? '')) continue
    must(
      payment !== undefined && payment.id === fields[1] && String(payment.cents) === fields[3],
      () => `the queue holds ${entryId}, ${fields.join(' ')}, which nobody sent`
    )
  }
}

/** Who is pending is in flight, and has a record that says where; or is held, and has none. */
function assertPending({ queue, pending, inFlight }: State): void {
  for (const [entryId, consumer] of pending) {
    must(queue.has(entryId), () => `${entryId} is pending for ${consumer} and not in the queue`)
    const record = inFlight.get(entryId)
    must(
      (record === undefined) === (consumer === HELD_CONSUMER),
      () => `${entryId} is pending for ${consumer}, and on record as ${record ?? 'nothing'}`
    )
  }
  for (const [entryId, record] of inFlight) {
    must(pending.has(entryId), () => `${entryId} is on record as ${record}, and pending for nobody`)
    const attempt = parseAttempt(record)
    must(
      attempt !== undefined && attempt.attempt !== null && renderAttempt(attempt) === record,
      () => `the record of ${entryId} is ${record}`
    )
  }
}

function assertLetters({ letters }: State, ledger: Ledger): void {
  for (const [letterId, fields] of letters) {
    if (fields[0] !== 'correlationId' || ledger.malformedLetters.has(letterId) || ledger.repeated.has(fields[1] ?? ''))
      continue
    const payment = ledger.payments.get(fields[1] ?? '')
    must(
      payment?.place === 'dead letter' && String(payment.cents) === fields[3],
      () => `${fields.join(' ')} is a dead letter, and should be ${String(payment?.place)}`
    )
  }
}

function assertInOnePlace({ id, entryId, place }: Payment, { queue, letters }: State): void {
  const letterCount = [...letters.values()].filter(fields => fields[0] === 'correlationId' && fields[1] === id).length
  must(
    (place === 'queue') === (entryId !== '' && queue.has(entryId)),
    () => `${id} is ${place}, and its entry ${entryId} is ${queue.has(entryId) ? '' : 'not '}in the queue`
  )
  must(
    letterCount === (place === 'dead letter' ? 1 : 0),
    () => `${id} is ${place}, and ${letterCount} dead letters are of it`
  )
}

/** The processor that may have a payment is the one on record; one that is free or a dead letter, none may have. */
function assertMayBeBooked(
  { id, entryId, place, settled, cents }: Payment,
  { inFlight }: State,
  processors: Record<ProcessorName, ModelProcessor>
): void {
  const record = place === 'queue' ? inFlight.get(entryId) : undefined
  const allowed = settled?.processor ?? (record === undefined ? undefined : parseAttempt(record)?.processor)
  for (const processor of PROCESSOR_NAMES) {
    const { stored } = processors[processor]
    if (processor !== allowed)
      must(
        !processors[processor].mayHave(id),
        () => `${id} (${place}${record === undefined ? '' : `, ${record}`}) may be booked at ${processor}`
      )
    const booked = stored.get(id)
    if (booked)
      must(booked.cents === cents, () => `${id} is booked over ${booked.cents} cents, and was accepted over ${cents}`)
  }
}

/** Every level of the totals is the sum of what was counted, as far as it remembers. */
export function assertTotals(
  totals: Map<string, Map<string, string>>,
  { counted, exactSince }: Ledger,
  keys: Keys
): void {
  const expected = new Map<string, Map<string, number>>()
  const add = (key: string, field: string, by: number) => {
    const fields = expected.get(key) ?? new Map<string, number>()
    expected.set(key, fields.set(field, (fields.get(field) ?? 0) + by))
  }
  for (const { processor, cents, requestedAtMs } of counted) {
    for (const { window, field } of cellsOf(requestedAtMs)) {
      for (const measure of MEASURES)
        add(keys.totals(processor, measure, window), String(field), measure === 'cents' ? cents : 1)
    }
  }
  const isForgotten = (key: string) => {
    const window = /:(?:requests|cents)(?::(.*))?$/.exec(key)?.[1] ?? ''
    return isFine(window) && window < exactSince.slice(0, window.length)
  }
  for (const key of new Set([...totals.keys(), ...expected.keys()])) {
    if (isForgotten(key)) continue
    const [found, wanted] = [textOf(totals.get(key)), textOf(expected.get(key))]
    must(found === wanted, () => `${key} holds ${found}, and should hold ${wanted}`)
  }
}

function textOf(fields: ReadonlyMap<string, unknown> | undefined): string {
  const texts = [...(fields ?? [])].map(([field, value]) => `${field}=${String(value)}`)
  return texts.sort().join(' ')
}
