// What may happen next. A step is three numbers: what kind, and two choices among what there is at that moment; where
// there is nothing to choose it does nothing, so that a list of steps stays a list of steps when some are left out.
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { PROCESSOR_NAMES, type ProcessorName } from '../../shared/payment.ts'
import { parseAttempt } from '../../shared/redis/attempt-record.ts'
import { purge } from '../../shared/redis/purge.ts'
import type { Totals } from '../../shared/redis/totals.ts'
import { isFine, cellsCovering } from '../../shared/totals.ts'
import { calledBy, FATES, type Fate } from './connection.ts'
import { must } from './ledger.ts'
import { BEHAVIOURS, type Behaviour } from './processor.ts'
import { WORKER_COUNT, type World } from './world.ts'
import type { ModelTake } from './worker.ts'

export type Step = readonly [kind: number, first: number, second: number]
/** The numbers of a step are below this one. */
export const CHOICES = 1 << 20

const SECOND_MS = 1_000
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const AMOUNTS = [1_990, 2_005]
const MALFORMED = [
  ['foo', 'bar'],
  ['correlationId', 'no-uuid', 'cents', '1990'],
  ['correlationId', 'ffffffff-0000-4000-8000-000000000000', 'cents', '1e3']
]

/** Returns whether anything was done. */
type Act = (world: World, first: number, second: number) => Promise<boolean> | boolean

const pick = <T>(list: readonly T[], choice: number): T | undefined => list[choice % list.length]
/** One of a list by weights, the first ones heavier. */
const weighted = <T>(weights: readonly (readonly [T, number])[], choice: number): T => {
  let rest = choice % weights.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [item, weight] of weights) if ((rest -= weight) < 0) return item
  throw new Error('no weights')
}

const FATE_WEIGHTS: [Fate, number][] = FATES.map((fate, index) => [fate, [72, 10, 8, 5, 5][index] ?? 0])
const BEHAVIOUR_WEIGHTS: [Behaviour, number][] = BEHAVIOURS.map((behaviour, index) => [
  behaviour,
  [40, 6, 3, 12, 12, 4, 10, 5, 3][index] ?? 0
])
const TICKS_MS: [number, number][] = [
  [1, 10],
  [40, 6],
  [1_200, 6],
  [3 * SECOND_MS, 6],
  [MINUTE_MS + SECOND_MS, 3],
  [25 * MINUTE_MS, 1],
  [3 * HOUR_MS, 1]
]
const OFFSETS_MS: [number, number][] = [
  [0, 4],
  [-SECOND_MS, 2],
  [-2 * MINUTE_MS, 3],
  [-HOUR_MS, 3],
  [-26 * HOUR_MS, 2],
  [-72 * HOUR_MS, 1],
  [SECOND_MS, 1],
  [MINUTE_MS * 2, 2],
  [50 * MINUTE_MS, 2]
]

const transmit: Act = async (world, first, second) => {
  const ready = world.connections().filter(({ connection }) => connection.outgoing.length > 0)
  const { label, connection } = pick(ready, first) ?? {}
  const [command] = connection?.outgoing ?? []
  if (!connection || !command) return false
  const fate = weighted(FATE_WEIGHTS, second)
  world.tell(`${label}: ${calledBy(command)} ${fate}`)
  await world.transmit(connection, fate)
  return true
}

const hear: Act = (world, first) => {
  const ready = world.connections().filter(({ connection }) => connection.incoming.length > 0)
  const chosen = pick(ready, first)
  if (!chosen) return false
  world.tell(`${chosen.label} hears a reply`)
  chosen.connection.hear()
  return true
}

const carryOutLate: Act = async (world, first, second) => {
  const command = pick(world.late, first)
  if (!command) return false
  world.late.splice(world.late.indexOf(command), 1)
  const isForgotten = second % 4 === 0
  world.tell(`late, ${calledBy(command)} is ${isForgotten ? 'lost' : 'carried out'}`)
  if (!isForgotten) await world.carryOut(command)
  return true
}

const takeOf = (choice: number): ModelTake[] => {
  const processor: ProcessorName = choice % 3 === 0 ? 'fallback' : 'default'
  const only = pick([{}, {}, {}, { minAgeMs: 1_000 }, { leaveCount: 1 }], choice >> 4) ?? {}
  return choice % 4 === 3 ? [] : [{ processor, countMax: 1 + ((choice >> 8) % 3), only }]
}

const exchange: Act = (world, first, second) => {
  const worker = pick(world.workers, first)
  // Seldom for nothing.
  const isWaiting = world.state !== undefined && world.state.queue.size > world.state.inFlight.size
  const isAsking = isWaiting || (first >> 6) % 6 === 0
  const more = (second >> 12) % 3 === 0 ? takeOf(second >> 10) : []
  const takes = isAsking ? [...takeOf(second), ...more] : []
  if (!worker?.exchange(takes, (first >> 4) % 4 !== 0)) return false
  world.tell(`${worker.name} begins an exchange`)
  return true
}

const beat: Act = (world, first) => {
  const worker = pick(world.workers, first)
  if (!worker || worker.isBeating || worker.hasLeft) return false
  world.tell(`${worker.name} begins a heartbeat`)
  worker.beat((first >> 4) % 6 === 0)
  return true
}

const process: Act = (world, first, second) => {
  const processor = world.processors[PROCESSOR_NAMES[first % 2] ?? 'default']
  const request = pick(processor.requests, first >> 1)
  if (!request) return false
  const answer = processor.carryOut(request, weighted(BEHAVIOUR_WEIGHTS, second), second >> 8)
  const does = answer?.text ?? 'deals with a request that nobody waits for'
  world.tell(`${processor.name} ${does}: ${request.correlationId}`)
  if (!answer) return true
  if ((first >> 10) % 4 === 0) world.answers.push(answer)
  else answer.hear()
  return true
}

const hearAnswer: Act = (world, first) => {
  const answer = pick(world.answers, first)
  if (!answer) return false
  world.answers.splice(world.answers.indexOf(answer), 1)
  world.tell('an answer of a processor arrives')
  answer.hear()
  return true
}

const pay: Act = (world, first, second) => {
  const gateway = pick(world.gateways, first)
  if (!gateway || gateway.isBusy) return false
  const usable = world.ids.filter(id => world.ledger.isUsable(id))
  const payments = Array.from({ length: 1 + ((second >> 2) % 3) }, (_, index) => {
    const choice = (second >> (index * 4)) + first
    const id = choice % 3 === 0 || usable.length === 0 ? world.newId() : (pick(usable, choice >> 3) ?? '')
    return { id, cents: AMOUNTS[choice % 11 === 0 ? 1 : 0] ?? 1_990 }
  })
  world.tell(`${gateway.label} is sent ${payments.map(({ id, cents }) => `${id} over ${cents}`).join(', ')}`)
  return world.begin(gateway, () => world.pay(gateway, payments))
}

const find: Act = async (world, first) => {
  const id = pick(world.ids, first)
  const payment = id === undefined ? undefined : world.ledger.payments.get(id)
  if (id === undefined || world.ledger.repeated.has(id) || !world.gateways.some(({ isReady }) => isReady)) return false
  const found = await world.direct.find(id)
  if (payment === undefined || (found === undefined && !world.ledger.mustRemember(id))) {
    must(found === undefined, () => `${id} is found as ${JSON.stringify(found)}, and nobody has sent it`)
    return true
  }
  const attempt = parseAttempt(world.state?.inFlight.get(payment.entryId) ?? '')
  const { cents } = payment
  const expected = payment.settled
    ? { status: 'settled', ...payment.settled }
    : payment.place === 'dead letter'
      ? { status: 'dead-letter', cents }
      : attempt === undefined
        ? { status: 'queued', cents }
        : { status: 'in-flight', cents, processor: attempt.processor, requestedAtMs: attempt.requestedAtMs }
  must(
    isDeepStrictEqual({ ...found }, expected),
    () => `${id} is found as ${JSON.stringify(found)}, and is ${JSON.stringify(expected)}`
  )
  return true
}

const sum: Act = async (world, first, second) => {
  const { counted, exactSince } = world.ledger
  const edges = [...counted.map(({ requestedAtMs }) => requestedAtMs), world.nowMs]
  const edge = (choice: number) => {
    const timeMs = (pick(edges, choice) ?? 0) + ((choice >> 8) % 3) - 1
    return (choice >> 12) % 2 === 0 ? timeMs : Math.floor(timeMs / MINUTE_MS) * MINUTE_MS - ((choice >> 14) % 2)
  }
  const [fromMs = 0, toMs = 0] = [edge(first), edge(second)].sort((a, b) => a - b)
  const range = `the summary from ${new Date(fromMs).toISOString()} to ${new Date(toMs).toISOString()}`
  const sums = await world.direct.sum({ fromMs, toMs })
  if (sums.kind === 'forgotten') {
    const isForgotten = (window: string) => isFine(window) && window < exactSince.slice(0, window.length)
    const isAsked = cellsCovering(fromMs, toMs).some(({ window }) => isForgotten(window))
    const refused = () => `${range} is refused as exact since ${sums.exactSince}, and is exact since ${exactSince}`
    must(isAsked && sums.exactSince === exactSince, refused)
    return true
  }
  const none = { requests: 0n, cents: 0n }
  const expected: Record<ProcessorName, Totals> = { default: { ...none }, fallback: { ...none } }
  for (const { processor, cents, requestedAtMs } of counted) {
    if (requestedAtMs < fromMs || requestedAtMs > toMs) continue
    expected[processor].requests += 1n
    expected[processor].cents += BigInt(cents)
  }
  assert.deepEqual(sums.totals, expected, range)
  return true
}

const tick: Act = (world, first) => {
  const byMs = weighted(TICKS_MS, first)
  world.tell(`${byMs} ms pass`)
  world.moveClock(byMs)
  return true
}

const stepClock: Act = (world, first) => {
  world.clockOffsetMs = weighted(OFFSETS_MS, first)
  world.tell(`the clock of Redis steps to ${world.clockOffsetMs / SECOND_MS} s beside the time`)
  world.moveClock(0)
  return true
}

const die: Act = (world, first, second) => {
  const index = first % WORKER_COUNT
  world.tell(`${world.workers[index]?.name ?? ''} dies, what it sent ${second % 2 === 0 ? 'is on its way' : 'is lost'}`)
  world.killWorker(index, second % 2 === 0)
  return true
}

const stop: Act = (world, first) => {
  const index = first % WORKER_COUNT
  const worker = world.workers[index]
  if (!worker) return false
  if (worker.hasLeft && worker.connection.outgoing.length === 0) {
    world.tell(`${worker.name} has ended`)
    world.startWorker(index)
    return true
  }
  const wasStopping = worker.isStopping
  worker.isStopping = true
  worker.leave()
  if (!wasStopping) world.tell(`${worker.name} is told to stop`)
  return !wasStopping || worker.hasLeft
}

const addMalformed: Act = async (world, first, second) => {
  const isLetter = second % 3 === 0
  const fields = pick(MALFORMED, first) ?? []
  const added = await world.redis.xadd(isLetter ? world.keys.deadLetters : world.keys.queue, '*', ...fields)
  world.ledger[isLetter ? 'malformedLetters' : 'malformed'].add(added ?? '')
  world.tell(`somebody adds ${fields.join(' ')} to the ${isLetter ? 'dead letters' : 'queue'}`)
  await world.look()
  return true
}

const deleteMalformed: Act = async (world, first) => {
  const malformed = [...(world.state?.queue.keys() ?? [])].filter(id => world.ledger.malformed.has(id))
  const entryId = pick(malformed, first)
  if (entryId === undefined) return false
  world.tell(`somebody deletes ${entryId}, which is no payment`)
  await world.redis.xdel(world.keys.queue, entryId)
  await world.look()
  return true
}

const redrive: Act = (world, first, second) => {
  const { functions } = world.operator
  const isForAll = second % 3 === 0
  const work = async () => {
    const letters = await functions.deadLetters(100)
    for (const letter of isForAll ? letters : letters.slice(first % Math.max(1, letters.length)).slice(0, 1)) {
      if (letter.kind === 'payment') await functions.redrive(letter)
    }
  }
  if (!world.begin(world.operator, work)) return false
  world.tell(`the operator redrives ${isForAll ? 'all' : 'one'}`)
  return true
}

const discard: Act = (world, first) => {
  const letterId = pick([...(world.state?.letters.keys() ?? [])], first)
  if (letterId === undefined || !world.begin(world.operator, () => world.operator.functions.discard(letterId)))
    return false
  world.tell(`the operator discards ${letterId}`)
  return true
}

const purgeAll: Act = (world, first) => {
  const gateway = pick(world.gateways, first)
  // Whoever asked for it and got no answer asks again.
  const once = () => purge(gateway?.connection.redis ?? world.redis, world.keys, gateway?.functions ?? world.direct)
  if (!gateway || !world.begin(gateway, () => once().catch(once))) return false
  world.tell(`${gateway.label} purges`)
  return true
}

/** What may happen, and how often. */
const KINDS: [Act, number][] = [
  [transmit, 400],
  [exchange, 130],
  [process, 170],
  [pay, 110],
  [beat, 50],
  [tick, 45],
  [hear, 40],
  [hearAnswer, 40],
  [carryOutLate, 20],
  [find, 25],
  [sum, 12],
  [die, 8],
  [stop, 10],
  [stepClock, 12],
  [redrive, 10],
  [discard, 4],
  [addMalformed, 6],
  [deleteMalformed, 3],
  [purgeAll, 5]
]

/** Does one step. Returns whether there was anything to do. */
export async function take(world: World, [kind, first, second]: Step): Promise<boolean> {
  const isDone = await weighted(KINDS, kind)(world, first, second)
  if (isDone) await settled()
  world.assertNothingBroken()
  return isDone
}

/**
 * Resolves when everybody has done what follows from what they heard: a heartbeat waits for one turn of the event loop.
 */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate)
}
