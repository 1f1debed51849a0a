// A seed's plan: which faults happen, when, to whom and for how long. Pure: the same seed gives the same plan.
import type { ProcessorName } from '../../shared/payment.ts'
import { createRandom, type Random } from '../support/random.ts'
import type { RedisFault } from '../support/redis-proxy.ts'

/** What a client gets in place of an answer; see test/support/processor/faults.ts. */
type Answer = 'reset' | 'silent' | 'cut' | 'garbage'

export type Fault =
  /** SIGKILL to all of them at once; each is started again after `downMs`. */
  | { kind: 'kill'; parts: string[]; downMs: number }
  /** SIGSTOP, and SIGCONT after `forMs`. */
  | { kind: 'freeze'; part: string; forMs: number }
  /** SIGTERM, then a start. */
  | { kind: 'restart'; part: string }
  /** A share of a processor's answers breaks; `insert` says whether the payment is processed all the same. */
  | { kind: 'answers'; processor: ProcessorName; answer: Answer; insert: boolean; probability: number; forMs: number }
  /** A processor refuses payments for good. */
  | { kind: 'reject'; processors: ProcessorName[]; count: number }
  /** A delay above what workers wait for. */
  | { kind: 'slow'; processors: ProcessorName[]; delayMs: number; forMs: number }
  /** All payments get 500; with `toggleMs`, on and off in turn. */
  | { kind: 'failing'; processors: ProcessorName[]; toggleMs: number | undefined; forMs: number }
  /** One command of a gateway, or of a worker, is lost on its way to Redis or back. */
  | { kind: 'redis-command'; side: 'gateway' | 'worker'; command: string; fault: RedisFault }
  /** Every connection of the gateways, or of the workers, ends. */
  | { kind: 'redis-cut'; side: 'gateway' | 'worker' }
  | { kind: 'redis-full'; forMs: number }
  /** A slow command keeps Redis from everybody else. */
  | { kind: 'redis-busy'; forMs: number }
  | { kind: 'function-flush' }
  /** Redis rewrites its append-only file. */
  | { kind: 'rewrite-log' }

export type Step = { atMs: number; fault: Fault }

export type Plan = {
  seed: number
  workers: number
  environment: Record<'gateway' | 'worker' | 'processor', Record<string, string>>
  steps: Step[]
}

const PROCESSORS: readonly ProcessorName[] = ['default', 'fallback']

/** Every kind of fault; a plan takes some of them in an order of its own. */
function makers(random: Random, workers: number): (() => Fault)[] {
  const worker = () => `worker-${random.integer(1, workers)}`
  const gateway = () => `gateway-${random.integer(1, 2)}`
  const processor = () => random.pick(PROCESSORS)
  const some = () => random.pick<ProcessorName[]>([['default'], ['fallback'], ['default', 'fallback']])
  const side = () => random.pick(['gateway', 'worker'] as const)
  const shortMs = () => random.integer(50, 700)
  const longMs = () => random.integer(500, 2_500)
  const kill = (...parts: string[]): Fault => ({ kind: 'kill', parts, downMs: shortMs() })
  const freeze = (part: string): Fault => ({ kind: 'freeze', part, forMs: longMs() })
  const answers = (answer: Answer): Fault => ({
    kind: 'answers',
    processor: processor(),
    answer,
    insert: random.chance(0.6),
    probability: random.pick([0.05, 0.3, 0.8]),
    forMs: longMs()
  })
  const command = (): Fault => {
    const from = side()
    const name = from === 'gateway' ? 'accept' : random.pick(['take', 'settle', 'release', 'beat', 'reclaim'])
    const fault = random.pick(['lose-request', 'cut-request', 'lose-reply', 'cut-reply', 'go-silent'] as const)
    return { kind: 'redis-command', side: from, command: name, fault }
  }
  return [
    () => kill(worker()),
    () => kill(worker()),
    () => kill(gateway()),
    () => kill('monitor-1'),
    () => kill('haproxy'),
    () => kill('redis'),
    () => kill('redis'),
    () => kill(`processor-${processor()}`),
    () => kill('gateway-1', 'gateway-2'),
    () => kill('processor-default', 'processor-fallback'),
    () => kill(worker(), 'redis'),
    () => kill(gateway(), worker(), 'monitor-1'),
    () => kill('redis', 'processor-default', worker()),
    () => freeze(worker()),
    () => freeze(worker()),
    () => freeze(gateway()),
    () => freeze('redis'),
    () => freeze(random.pick(['monitor-1', 'haproxy'])),
    () => freeze(`processor-${processor()}`),
    () => ({ kind: 'restart', part: gateway() }),
    () => ({ kind: 'restart', part: worker() }),
    () => answers('reset'),
    () => answers('silent'),
    () => answers('cut'),
    () => answers('garbage'),
    () => ({
      kind: 'reject',
      processors: random.pick([['default'], ['fallback'], ['default', 'fallback'], ['default', 'fallback']]),
      count: random.integer(1, 3)
    }),
    () => ({ kind: 'slow', processors: some(), delayMs: random.integer(300, 2_500), forMs: longMs() }),
    () => ({ kind: 'failing', processors: some(), toggleMs: random.integer(100, 400), forMs: longMs() }),
    () => ({ kind: 'failing', processors: ['default', 'fallback'], toggleMs: undefined, forMs: longMs() }),
    command,
    command,
    command,
    () => ({ kind: 'redis-cut', side: side() }),
    () => ({ kind: 'redis-full', forMs: longMs() }),
    () => ({ kind: 'redis-busy', forMs: random.integer(200, 900) }),
    () => ({ kind: 'function-flush' }),
    () => ({ kind: 'rewrite-log' })
  ]
}

/** @param faultCount how many faults, at most as many as there are makers */
export function makePlan(seed: number, faultCount: number): Plan {
  const random = createRandom(seed, 'plan')
  const workers = random.integer(1, 2)
  const left = makers(random, workers)
  const steps: Step[] = []
  let atMs = 500
  while (steps.length < faultCount && left.length > 0) {
    const [make] = left.splice(random.integer(0, left.length - 1), 1)
    if (make !== undefined) steps.push({ atMs, fault: make() })
    // Some come together, most apart.
    atMs += random.chance(0.2) ? random.integer(0, 50) : random.integer(400, 2_200)
  }
  // Numbers of its own, so that a plan of fewer faults is the beginning of one of more.
  const settings = createRandom(seed, 'environment')
  const between = (min: number, max: number) => String(settings.integer(min, max))
  return {
    seed,
    workers,
    steps,
    environment: {
      gateway: { REDIS_TIMEOUT_MS: between(300, 2_000) },
      worker: {
        PROCESSOR_TIMEOUT_MS: between(200, 1_500),
        FALLBACK_AFTER_MS: between(0, 1_000),
        DEAD_AFTER_MS: between(300, 1_000),
        EXCHANGE_EVERY_MS: between(0, 5),
        IN_FLIGHT_MAX: between(30, 200)
      },
      // Small enough that a slow processor answers 429.
      processor: { RUNNING_MAX: between(30, 150), QUEUED_MAX: between(5, 50), FRONT: settings.pick(['on', 'off']) }
    }
  }
}

/** A fault in a few words, the same for all that are alike. */
export function nameOf(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return `kill ${fault.parts.map(withoutNumber).sort().join('+')}`
    case 'freeze':
    case 'restart':
      return `${fault.kind} ${withoutNumber(fault.part)}`
    case 'answers':
      return `${fault.answer} ${fault.insert ? 'after' : 'before'} insert`
    case 'failing':
      return fault.toggleMs === undefined ? 'failing' : 'failing in turns'
    case 'redis-command':
      return `${fault.fault} ${fault.command}`
    case 'redis-cut':
      return `cut ${fault.side}-redis`
    default:
      return fault.kind
  }
}

function withoutNumber(part: string): string {
  return part.replace(/-\d+$/, '').replace(/^processor-.*/, 'processor')
}
