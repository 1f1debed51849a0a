// The end of a run: everybody behaves, until nothing is left, and the books are compared.
import { PROCESSOR_NAMES } from '../../shared/payment.ts'
import { must } from './ledger.ts'
import { settled } from './steps.ts'
import type { World } from './world.ts'

/** More than a payment needs: it is taken over, refused, taken, sent, asked for and settled. */
const ROUNDS_MAX = 60
const ROUND_MS = 1_000
/** More than anybody needs to say and hear what there is. */
const TURNS_MAX = 500

export async function drain(world: World): Promise<void> {
  world.tell('from here on everybody behaves')
  while (world.late.length > 0) await world.carryOut(world.late.shift() ?? { name: '', args: [] })
  for (let round = 0; round < ROUNDS_MAX; round++) {
    await quiet(world)
    if (round > 3 && isEmpty(world)) break
    world.moveClock(ROUND_MS)
    for (const [index, worker] of world.workers.entries()) {
      // Who was told to stop stops, and another one comes.
      worker.leave()
      await quiet(world)
      if (worker.hasLeft) world.startWorker(index)
      else worker.beat(round === 0)
      await quiet(world)
      world.workers[index]?.exchange(worker.isStopping ? [] : [{ processor: 'default', countMax: 100, only: {} }], true)
    }
  }
  await world.look(true)
  const text = (map?: Map<string, unknown>) => JSON.stringify([...(map ?? [])])
  const { queue, inFlight } = world.state ?? {}
  must(isEmpty(world), () => `after the end there are left: ${text(queue)}, on record ${text(inFlight)}`)
  assertBooks(world)
}

/** Until nothing is on its way. */
async function quiet(world: World): Promise<void> {
  let isDone = false
  for (let turn = 0; !isDone; turn++) {
    must(turn < TURNS_MAX, () => 'somebody asks for ever')
    isDone = true
    for (const { connection } of world.connections()) {
      while (connection.incoming.length > 0) connection.hear()
      if (connection.outgoing.length > 0) {
        await world.transmit(connection, 'carried out')
        isDone = false
      }
    }
    for (const answer of world.answers.splice(0)) answer.hear()
    for (const processor of PROCESSOR_NAMES.map(name => world.processors[name])) {
      for (const request of [...processor.requests]) {
        processor.carryOut(request, 'book', 0)?.hear()
        isDone = false
      }
    }
    await settled()
    world.assertNothingBroken()
  }
}

function isEmpty({ state }: World): boolean {
  return state !== undefined && state.queue.size + state.inFlight.size === 0
}

/** What a processor has booked is counted once, there and with that time, unless a purge made it uncountable. */
function assertBooks({ ledger, processors }: World): void {
  for (const payment of ledger.payments.values()) {
    if (ledger.repeated.has(payment.id)) continue
    must(payment.place !== 'queue', () => `${payment.id} is still open`)
    for (const name of PROCESSOR_NAMES) {
      const stored = processors[name].stored.get(payment.id)
      const countedAt = payment.settled?.processor ?? 'neither'
      must(
        (countedAt === name) === (stored !== undefined),
        () => `${payment.id} is ${stored ? '' : 'not '}booked at ${name}, and counted at ${countedAt}`
      )
      if (!stored || !payment.settled) continue
      const { cents, requestedAtMs } = payment.settled
      const isSame = stored.cents === cents && stored.requestedAtMs === requestedAtMs
      must(isSame, () => `${payment.id} is booked otherwise than counted`)
    }
  }
}
