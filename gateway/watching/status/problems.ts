import { signedDecimalFromCents } from '../../../shared/money.ts'
import { otherThan, PROCESSOR_NAMES, type ProcessorName } from '../../../shared/payment.ts'
import { LONG_IN_FLIGHT_MS } from '../../../shared/watching/audit-result.ts'
import type { Figures, MemoryFigures, ProcessorFigures, WorkerFigures } from './figures.ts'
import type { ProcessSign } from './processes.ts'
import { clock, counted, duration, listed, megabytes, formatCount } from './format.ts'

/** A payment that has waited for longer than this is worth a word: most are sent within milliseconds. */
const WAITING_SECONDS = 2
/** A payment that is not settled after this has an open outcome: no answer takes longer, see PROCESSOR_TIMEOUT_MS. */
const OPEN_OUTCOME_SECONDS = 20
/** From here on Redis is nearly full. */
const NEARLY_FULL = 0.9

/**
 * What is wrong, a sentence each, the worst first; empty when all is well. Covers what docs/guarantees.md calls a fault
 * and can be seen.
 */
export function problemsOf(figures: Figures): string[] {
  return [
    ...redisProblems(figures),
    ...booksProblems(figures),
    ...gatewayProblems(figures),
    ...workerProblems(figures),
    ...processorProblems(figures),
    ...refusalProblems(figures),
    ...monitorProblems(figures),
    ...queueProblems(figures)
  ]
}

/** What a gateway says when Redis does not answer: the figures it has are old, so nothing else can be said. */
export function redisLostProblems(silentSeconds: number, lostAt: string, reason: string): string[] {
  return [
    `Redis has not answered (${reason}) for ${duration(silentSeconds)}, since ${clock(lostAt)}: new payments get 503 and nothing is settled. ` +
      'What was accepted is kept. All other figures are from before.'
  ]
}

function redisProblems({
  redis: { usedBytes, maxBytes, keepsLog, canWriteLog, canRewriteLog, evictionPolicy, memory }
}: Figures): string[] {
  const problems: string[] = []
  if (!keepsLog)
    problems.push('Redis keeps no append-only log: if it crashes, every accepted payment is lost. Set appendonly yes.')
  if (evictionPolicy !== 'noeviction') {
    problems.push(
      `Redis may forget payments when it is full: its maxmemory-policy is ${evictionPolicy}. Set noeviction.`
    )
  }
  if (!canWriteLog)
    problems.push(
      'Redis cannot write its append-only log: look at its disk. Until it can, payments get 503 and nothing is settled.'
    )
  if (!canRewriteLog)
    problems.push(
      'Redis could not rewrite its append-only log, which grows until it can: look at its disk and its memory.'
    )
  if (maxBytes === null || usedBytes < maxBytes * NEARLY_FULL) return problems
  const filled = `${megabytes(usedBytes)} of ${megabytes(maxBytes)}`
  const largest = memory === null ? '' : ` The largest part, ${largestPart(memory)}.`
  problems.push(
    usedBytes >= maxBytes
      ? `Redis is full, ${filled}: new payments get 503 until some are settled, which goes on.${largest}`
      : `Redis is nearly full, ${filled}. When it is full, new payments get 503.${largest}`
  )
  return problems
}

function largestPart({ queueBytes, idsBytes, totalsBytes, otherBytes }: MemoryFigures): string {
  const parts: [name: string, bytes: number][] = [
    ['the queue', queueBytes],
    ['the memory of ids', idsBytes],
    ['the totals', totalsBytes],
    ['neither queue nor ids nor totals', otherBytes]
  ]
  const [name, bytes] = parts.reduce((largest, part) => (part[1] > largest[1] ? part : largest))
  return `${megabytes(bytes)}, is ${name}`
}

function booksProblems({ audit }: Figures): string[] {
  if (audit === null) return []
  const which = `the audit of ${audit.at.slice(0, 10)} ${clock(audit.at)}, ${duration(audit.ageSeconds)} ago`
  if (audit.isEqual) {
    const { count = 0, oldestSeconds } = audit.notCompared ?? {}
    // What was just on its way is nothing to look into.
    if (count === 0 || (oldestSeconds ?? 0) * 1_000 <= LONG_IN_FLIGHT_MS) return []
    return [
      `The books agree in all that was compared by ${which}: it left out ${counted(count, 'payment')} in flight, the oldest for ${duration(oldestSeconds ?? 0)} by then. ` +
        '`npm run audit` names them.'
    ]
  }
  const apart = PROCESSOR_NAMES.flatMap(name => {
    const { payments, amount } = audit.differences[name]
    return payments === 0n && amount === 0n
      ? []
      : [
          `ours minus those of ${name} are ${counted(Number(payments), 'payment')} and ${signedDecimalFromCents(amount)}`
        ]
  })
  if (audit.differingPayments)
    apart.push(`${counted(audit.differingPayments, 'payment differs', 'payments differ')} one by one`)
  return [`The books differ by ${which}: ${listed(apart)}. ` + '`npm run audit -- --deep` names the payments.']
}

function gatewayProblems({ gateways }: Figures): string[] {
  const refusing = gateways.flatMap(({ label, refusing: trouble }) =>
    trouble === null
      ? []
      : [
          `${label} has refused payments with 503 since ${clock(trouble.since)}, ${formatCount(trouble.answers)} in the last 10 s: ${trouble.reason}`
        ]
  )
  return [
    ...refusing,
    ...gateways.filter(isSilent).map(gateway => `${silence(gateway)}. Its clients are served by the others.`)
  ]
}

function workerProblems({ workers, at }: Figures): string[] {
  const alive = workers.filter(({ isAlive }) => isAlive)
  const silent = workers.filter(isSilent).map(worker => {
    const what =
      worker.pending === 0
        ? 'It has no payments.'
        : alive.length > 0
          ? `Another worker takes over the ${counted(worker.pending, 'payment')} it has.`
          : `${counted(worker.pending, 'payment')} it has will be taken over once a worker is running.`
    return `${silence(worker)}. ${what}`
  })
  if (alive.length === 0)
    return [
      'No worker is running: payments are accepted and wait, and nothing is settled until one is started.',
      ...silent
    ]
  return [
    ...workers.flatMap(worker => worker.troubles.map(trouble => troubleOfWorker(worker.label, trouble, at))),
    ...silent
  ]
}

function troubleOfWorker(
  label: string,
  { what, reason, since }: WorkerFigures['troubles'][number],
  at: string
): string {
  const lasting = `for ${duration((Date.parse(at) - Date.parse(since)) / 1_000)}, since ${clock(since)}: ${reason.replace(/\.$/, '')}.`
  return what === 'heartbeat'
    ? `${label} has been unable to send its heartbeat ${lasting} Until it can, it takes nothing over from dead workers.`
    : `${label} has been unable to settle or take payments ${lasting}`
}

/** What is refused for what it is makes no breaker open, and costs the other processor's fee. */
function refusalProblems({ processors }: Figures): string[] {
  return PROCESSOR_NAMES.flatMap(name => {
    const count = processors[name].answers.rejected
    return count === 0
      ? []
      : [
          `The ${name} processor refused ${counted(count, 'payment')} for good in the last 10 s (status 400, 413 or 415). ` +
            `${count === 1 ? 'It goes' : 'They go'} to ${otherThan(name)}, and to the dead letters if that refuses as well.`
        ]
  })
}

function processorProblems({ processors }: Figures): string[] {
  const failing = PROCESSOR_NAMES.filter(name => processors[name].verdict === 'fails')
  if (failing.length === PROCESSOR_NAMES.length) {
    const each = PROCESSOR_NAMES.map(name => troubleOf(name, processors[name]))
    return [`Both processors fail: payments are accepted and wait. ${each.join(' ')}`]
  }
  return PROCESSOR_NAMES.flatMap(name => {
    switch (processors[name].verdict) {
      case 'works':
        return []
      case 'fails-for-some':
      case 'said-to-fail':
        return [troubleOf(name, processors[name])]
      case 'fails':
        return [
          `${troubleOf(name, processors[name])} ${
            name === 'default'
              ? 'Payments wait for it for a while, then go to fallback, the more expensive one.'
              : 'Payments go to default; what default cannot take waits.'
          }`
        ]
    }
  })
}

function troubleOf(name: ProcessorName, { verdict, breakers, health }: ProcessorFigures): string {
  const published = health?.failing === true ? `its health poll ${duration(health.ageSeconds)} ago said so` : undefined
  if (verdict === 'said-to-fail')
    return `The ${name} processor is called failing: ${String(published)}. No worker finds it failing now.`
  const open = breakers.filter(({ state }) => state !== 'CLOSED')
  if (open.length === 0) return `The ${name} processor fails: ${String(published)}.`
  const which = open.map(
    ({ worker, state, since, openSeconds }) =>
      `${state} at ${worker}${since === null ? '' : ` (since ${clock(since)}, ${duration(openSeconds ?? 0)})`}`
  )
  const some = verdict === 'fails' ? '' : ` for ${open.length} of ${counted(breakers.length, 'worker')}`
  return `The ${name} processor fails${some}: its breaker is ${listed(which)}${published === undefined ? '' : `, and ${published}`}.`
}

function monitorProblems({ monitors, processors, isPolled }: Figures): string[] {
  const problems: string[] = []
  if (!isPolled)
    problems.push(
      'Nobody polls the health of the processors: no health monitor is active. The workers go by what they see themselves.'
    )
  const silent = monitors.filter(isSilent)
  problems.push(...silent.map(monitor => `${silence(monitor)}.${isPolled ? ' Another monitor polls.' : ''}`))
  if (!isPolled) return problems
  const unheard = PROCESSOR_NAMES.filter(name => processors[name].health === null)
  if (unheard.length > 0) problems.push(`The health of ${listed(unheard)} is unknown: no recent poll was answered.`)
  return problems
}

function queueProblems({ queue, acceptedPerSecond, settledPerSecond }: Figures): string[] {
  const problems: string[] = []
  const { waiting, oldestWaitingSeconds, oldestSeconds, deadLetters } = queue
  const isWaiting = waiting > 0 && oldestWaitingSeconds !== null && oldestWaitingSeconds > WAITING_SECONDS
  if (isWaiting) {
    const trend =
      acceptedPerSecond > settledPerSecond
        ? 'their number grows'
        : settledPerSecond > acceptedPerSecond
          ? 'their number falls'
          : 'their number stays'
    problems.push(
      `${counted(waiting, 'payment waits', 'payments wait')} in the queue, the oldest for ${duration(oldestWaitingSeconds)}, and ${trend}: ` +
        `${formatCount(acceptedPerSecond)} a second are accepted, ${formatCount(settledPerSecond)} settled.`
    )
  }
  if (oldestSeconds !== null && oldestSeconds > OPEN_OUTCOME_SECONDS && oldestSeconds > (oldestWaitingSeconds ?? 0)) {
    problems.push(
      `A payment that was accepted ${duration(oldestSeconds)} ago is still in flight: its outcome is unknown, and it stays with its processor until that answers.`
    )
  }
  if (deadLetters > 0) {
    problems.push(
      `${counted(deadLetters, 'dead letter waits', 'dead letters wait')}: payments that both processors refused for good, ` +
        'or entries of the queue that were no payment. `npm run redrive` shows them.'
    )
  }
  return problems
}

function isSilent({ isAlive }: ProcessSign): boolean {
  return !isAlive
}

function silence({ label, silentSeconds }: ProcessSign): string {
  return silentSeconds === null
    ? `${label} has shown no sign of life yet`
    : `${label} has shown no sign of life for ${duration(silentSeconds)}`
}
