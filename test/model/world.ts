// One run's pipeline: the real functions in a real Redis, and around it workers, gateways, operators and processors
// that do nothing unless a step says so.
import type { Redis } from 'ioredis'
import { digitsOf, periodFrom } from '../../shared/id-memory.ts'
import { createKeys, type Keys } from '../../shared/keys.ts'
import { createFunctions, type Functions } from '../../shared/redis/functions.ts'
import { adoptIdPeriods } from '../../shared/redis/id-periods.ts'
import { createTotalsRetention } from '../../processor-worker/totals-retention.ts'
import { cents } from '../support/payments.ts'
import { createConnection, Lost, type Command, type Connection, type Fate } from './connection.ts'
import { assertState, assertTotals } from './invariants.ts'
import { Ledger, must } from './ledger.ts'
import { ModelProcessor, type OpenAnswer } from './processor.ts'
import type { State, StateReader } from './state.ts'
import { ModelWorker } from './worker.ts'

const HOUR_MS = 3_600_000
export const WORKER_COUNT = 3
/** Near the end of an hour and of a day, where periods of ids end. */
const START_MS = Date.parse('2026-11-21T23:58:30.000Z')
const DEAD_AFTER_MS = 2_000
const QUEUED_MAX = 6
/** A service whose ids are remembered for so long at least. */
export type Client = { label: string; connection: Connection; functions: Functions; isBusy: boolean; isReady: boolean }

export type WorldOptions = {
  redis: Redis
  reader: StateReader
  /** Stops Redis's clock at a time. */
  stopClockAt: (timeMs: number) => void
  /** Ids that version 0.1 remembered are there, and no list of its periods. */
  isUpgrade: boolean
}

export class World {
  readonly redis: Redis
  readonly keys: Keys = createKeys()
  /** For what nothing comes in between. */
  readonly direct: Functions
  readonly processors = { default: new ModelProcessor('default'), fallback: new ModelProcessor('fallback') }
  readonly ledger = new Ledger(this.processors)
  readonly workers: ModelWorker[] = []
  readonly gateways: Client[]
  readonly operator: Client
  /** Commands that their actors have given up, and Redis may still carry out. */
  late: Command[] = []
  answers: OpenAnswer[] = []
  readonly ids: string[] = []
  readonly trace: string[] = []
  state: State | undefined
  /** What time it really is; Redis's clock may say something else. */
  nowMs = START_MS
  clockOffsetMs = 0
  readonly #reader: StateReader
  readonly #stopClockAt: (timeMs: number) => void
  #workerCount = 0
  #broken: unknown

  constructor({ redis, reader, stopClockAt }: WorldOptions) {
    this.redis = redis
    this.direct = createFunctions(redis, this.keys, 24)
    this.#reader = reader
    this.#stopClockAt = stopClockAt
    this.gateways = [this.#client('gateway of 1 h', 1), this.#client('gateway of 24 h', 24)]
    this.operator = this.#client('operator', 24)
  }

  static async start(options: WorldOptions): Promise<World> {
    const world = new World(options)
    await world.redis.flushall()
    world.moveClock(0)
    if (options.isUpgrade) await world.#rememberAsBefore()
    await world.direct.createGroup()
    await world.look(true)
    for (let index = 0; index < WORKER_COUNT; index++) world.startWorker(index)
    for (const client of [...world.gateways, world.operator]) world.begin(client, () => world.#adopt(client))
    return world
  }

  get clockMs(): number {
    return this.nowMs + this.clockOffsetMs
  }

  tell(text: string): void {
    this.trace.push(text)
  }

  /** Lets time pass, or Redis's clock step. */
  moveClock(byMs: number): void {
    this.nowMs += byMs
    this.#stopClockAt(this.clockMs)
    if (this.state) this.ledger.noteTime(this.state, this.clockMs)
  }

  connections(): { label: string; connection: Connection }[] {
    const workers = this.workers.map(({ name, connection }) => ({ label: name, connection }))
    return [...workers, ...this.gateways, this.operator]
  }

  startWorker(index: number): void {
    const name = `worker-${index + 1}-${++this.#workerCount}`
    const connection = createConnection()
    const { redis } = connection
    const functions = createFunctions(redis, this.keys)
    this.workers[index] = new ModelWorker({
      name,
      connection,
      functions,
      processors: this.processors,
      nowMs: () => this.nowMs,
      deadAfterMs: DEAD_AFTER_MS,
      retention: createTotalsRetention({ redis, keys: this.keys, functions, retentionHours: 1 }),
      onBroken: this.#break
    })
  }

  /** Everything of the worker is gone but what is on its way: each of its commands arrives in the end, or never. */
  killWorker(index: number, areCommandsSent: boolean): void {
    const worker = this.workers[index]
    if (worker === undefined) return
    if (areCommandsSent) this.late.push(...worker.connection.outgoing)
    this.startWorker(index)
  }

  /** Starts what a client does, unless it is at something. */
  begin(client: Client, work: () => Promise<unknown>): boolean {
    if (client.isBusy) return false
    client.isBusy = true
    void work()
      .catch(this.#break)
      .finally(() => {
        client.isBusy = false
      })
    return true
  }

  async transmit(connection: Connection, fate: Fate): Promise<void> {
    const late = await connection.transmit(fate, command => this.carryOut(command))
    if (late) this.late.push(late)
  }

  /** Redis carries out a command, and its effect is looked at before anybody hears of it. */
  async carryOut(command: Command): Promise<{ reply: unknown } | { error: Error }> {
    const before = this.state
    must(before !== undefined, () => 'a command before the first look')
    const redis = this.redis as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
    const [carried, state] = await Promise.all([
      Promise.resolve(redis[command.name]?.(...command.args)).then(
        reply => ({ reply }),
        (error: unknown) => ({ error: error as Error })
      ),
      this.#reader.read()
    ])
    const haveTotalsChanged = this.ledger.note(command, carried, before, this.clockMs)
    await this.#see(state, haveTotalsChanged)
    return carried
  }

  /** Compares what there is with what must be. */
  async look(areTotalsRead = false): Promise<void> {
    await this.#see(await this.#reader.read(), areTotalsRead)
  }

  async #see(state: State, areTotalsRead: boolean): Promise<void> {
    const before = this.state
    this.state = state
    this.ledger.noteTime(state, this.clockMs)
    for (const [entryId, fields] of state.queue) {
      if (!this.ledger.malformed.has(entryId) && before?.queue.has(entryId) !== true)
        this.ledger.noteEntry(entryId, fields[1] ?? '')
    }
    assertState(state, this.ledger, this.processors)
    if (areTotalsRead) assertTotals(await this.#reader.readTotals(), this.ledger, this.keys)
  }

  /** Only a lost command is none of an actor's business. */
  readonly #break = (error: unknown): void => {
    if (!(error instanceof Lost)) this.#broken ??= error
  }

  /** Throws what an actor could not go on after. */
  assertNothingBroken(): void {
    if (this.#broken !== undefined)
      throw this.#broken instanceof Error ? this.#broken : new Error('an actor broke', { cause: this.#broken })
  }

  newId(): string {
    // The last three digits name the node: some ids share one.
    const id = `00000000-0000-4000-8000-${String(this.ids.length).padStart(9, '0')}00${this.ids.length % 3}`
    this.ids.push(id)
    return id
  }

  #client(label: string, retentionHours: number): Client {
    const connection = createConnection()
    return {
      label,
      connection,
      functions: createFunctions(connection.redis, this.keys, retentionHours),
      isBusy: false,
      isReady: false
    }
  }

  /** What a service does before it serves, until it gets an answer. */
  async #adopt(client: Client): Promise<void> {
    while (!client.isReady) {
      try {
        await adoptIdPeriods(client.connection.redis, this.keys)
        client.isReady = true
      } catch (error) {
        if (!(error instanceof Lost)) throw error
      }
    }
  }

  /** As version 0.1 left it: two settled payments, in two periods. */
  async #rememberAsBefore(): Promise<void> {
    for (const agoMs of [24 * HOUR_MS, 0]) {
      const { name, startMs, forgottenMs } = periodFrom(START_MS - agoMs, 0, 24)
      const id = this.newId()
      const node = `${this.keys.idNodes}${name}:${digitsOf(id).slice(-3)}`
      const counted = { processor: 'default', cents: 1_990, requestedAtMs: startMs + HOUR_MS } as const
      await this.redis.hset(node, digitsOf(id).slice(0, -3), `1990 d${counted.requestedAtMs}`)
      await this.redis.pexpireat(node, forgottenMs)
      this.processors.default.stored.set(id, counted)
      this.ledger.payments.set(id, {
        id,
        cents: 1_990,
        entryId: '',
        place: 'settled',
        settled: counted,
        rememberedUntilMs: forgottenMs
      })
      this.ledger.handedOut.add(id)
    }
  }

  async pay(gateway: Client, payments: readonly { id: string; cents: number }[]): Promise<void> {
    await gateway.functions.accept(
      payments.map(payment => ({ correlationId: payment.id, cents: cents(payment.cents) })),
      QUEUED_MAX
    )
  }
}
