// Thirty days of payments through the functions that gateways and workers call, as fast as Redis takes them: accept,
// take, settle.
//
// Two things are not as in thirty real days. Redis keeps no log meanwhile, which would be tens of GB; it is switched on
// again at the end and holds everything then. And all ids are accepted within minutes, in one period, where a running
// system has the ids of at most the last two days, in two periods. So after each day but the last two its ids are
// deleted, as they would have expired, and those of the last but one are renamed into the period before, which is where
// they would be.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Payment } from '../../../shared/payment.ts'
import { createFunctions, type Functions } from '../../../shared/redis/functions.ts'
import { say } from '../../support/command.ts'
import { cents, newPayment } from '../../support/payments.ts'
import { forEachKey, redisInfo } from '../redis-figures.ts'
import type { LocalSystem } from '../system.ts'
import { DAYS, RUN_LENGTH, type Ledger } from './ledger.ts'

const CALLS = 4
const WORKER = 'bench'
const DAY_MS = 86_400_000
/** The name of the period before. */
const DAY_BEFORE = 'the-day-before'

/** @returns payments a second */
export async function fillThirtyDays(
  ledger: Ledger,
  { redis, keys }: LocalSystem,
  signal: AbortSignal
): Promise<number> {
  const functions = createFunctions(redis, keys, 24)
  await redis.config('SET', 'appendonly', 'no')
  let startPeriod: string | undefined
  const startedAtMs = performance.now()
  const perSecond = (count: number) => (count / (performance.now() - startedAtMs)) * 1_000
  for (let day = 1; day <= DAYS; day += 1) {
    const [first, end] = [day - 1, day].map(each => firstOfDay(ledger, each)) as [number, number]
    await settleAll(ledger, first, end, functions, signal)
    const periods = Object.entries(await redis.hgetall(keys.idPeriods)).filter(([name]) => name !== DAY_BEFORE)
    const [now = '', times = ''] = periods[0] ?? []
    startPeriod ??= now
    if (periods.length > 1 || now !== startPeriod)
      throw new Error('midnight UTC has passed, and with it a period of ids: run it again')
    if (day < DAYS - 1) await forEachKey(redis, keys.idsPattern, found => redis.del(...found))
    else if (day < DAYS) {
      const [startMs = 0, endMs = 0, forgottenMs = 0, digits = 0] = times.split(' ').map(Number)
      await redis.hset(
        keys.idPeriods,
        DAY_BEFORE,
        `${startMs - DAY_MS} ${endMs - DAY_MS} ${forgottenMs - DAY_MS} ${digits}`
      )
      await forEachKey(redis, keys.idsPattern, found =>
        Promise.all(found.map(key => redis.rename(key, key.replace(now, DAY_BEFORE))))
      )
    }
    if (day % 3 === 0) say(`  day ${day} of ${DAYS}: ${end} payments settled, ${perSecond(end).toFixed(0)}/s`)
  }
  const result = perSecond(ledger.count)
  await redis.config('SET', 'appendonly', 'yes')
  // The first log is a rewrite as well.
  do await sleep(100, undefined, { signal })
  while ((await redisInfo(redis)).isRewriting)
  return result
}

/** Whole rows, so that each day ends with a call. */
function firstOfDay({ count }: Ledger, day: number): number {
  return day === DAYS ? count : Math.round((count * day) / DAYS / RUN_LENGTH) * RUN_LENGTH
}

async function settleAll(
  ledger: Ledger,
  first: number,
  end: number,
  functions: Functions,
  signal: AbortSignal
): Promise<void> {
  let next = first
  const settleSome = async () => {
    while (next < end) {
      signal.throwIfAborted()
      const start = next
      next = Math.min(end, start + RUN_LENGTH)
      const payments: Payment[] = Array.from({ length: next - start }, (_, at) => ({
        ...newPayment(),
        cents: cents(ledger.centsOf(start + at))
      }))
      const processor = ledger.processorOf(start)
      // Redis does in order what one connection sends, so each take gets what was just accepted.
      const accepting = functions.accept(payments, Infinity)
      const taking = functions.take(WORKER, { processor, requestedAtMs: ledger.timeMsOf(start) }, payments.length)
      const [answers, { payments: taken }] = await Promise.all([accepting, taking])
      const isInOrder =
        answers.every(answer => answer === 'accepted') &&
        taken.length === payments.length &&
        taken.every(({ correlationId }, at) => correlationId === payments[at]?.correlationId)
      if (!isInOrder) throw new Error('what was taken is not what had just been accepted')
      const settledCount = await functions.settle(
        processor,
        taken.map((payment, at) => ({ ...payment, requestedAtMs: ledger.timeMsOf(start + at) }))
      )
      if (settledCount !== payments.length)
        throw new Error(`of ${payments.length} payments ${settledCount} were settled`)
    }
  }
  await Promise.all(Array.from({ length: CALLS }, settleSome))
}
