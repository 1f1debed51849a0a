// npm run audit: do our books equal the processors'?
import { parseArgs } from 'node:util'
import { Pool } from 'undici'
import { ConfigError, describeVariables, readConfig } from '../../shared/config.ts'
import { createKeys, type Keys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import { centsFromDecimal, decimalFromCents, signedDecimalFromCents } from '../../shared/money.ts'
import { PROCESSOR_NAMES, type ProcessorName } from '../../shared/payment.ts'
import type { Redis } from 'ioredis'
import { connectRedis } from '../../shared/redis/connect.ts'
import { createFunctions, type Functions, type Totals } from '../../shared/redis/functions.ts'
import { renderAuditResult, type AuditResult } from '../../shared/report/audit-result.ts'
import { renderTable } from '../../shared/table.ts'
import { lookupOfAnswer } from '../outcome.ts'
import { differenceOf, type BookedEntry } from './audit-differences.ts'
import { rememberedPayments } from './remembered.ts'
import { AUDIT_VARIABLES, REDIS_WITHIN_MS } from './settings.ts'

const USAGE = `npm run audit: compares our totals with those of both processors.

  npm run audit -- [--from TIME] [--to TIME] [--deep] [--json]

  --from, --to   ISO 8601 UTC, both included; default: everything up to two seconds ago, or to the oldest payment
                 in flight if that is longer ago, because one that was booked this moment is not settled yet
  --deep         payment by payment, for all whose ids are remembered: where it was counted, where it is booked
  --json         one JSON line instead of tables

An audit without --from and --to leaves its result in Redis: GET /status and the metrics tell it until the next one.

Exit codes: 0 all books agree, 1 they differ, 2 something could not be asked.

Environment:
${describeVariables(AUDIT_VARIABLES)}`

const LOOKUPS_AT_ONCE = 32
const DIFFERENCES_SHOWN = 50
const TIMEOUT_MS = 30_000
const JUST_BOOKED_MS = 2_000

type Range = { from: string; to: string }
type Books = Record<ProcessorName, Totals>
type Comparison = { processor: ProcessorName; ours: Totals; theirs: Totals }
type DeepResult = { comparedCount: number; differences: { correlationId: string; difference: string }[] }

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { from: { type: 'string' }, to: { type: 'string' }, deep: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } }
  })
  if (values.help === true) {
    console.log(USAGE)
    return 0
  }
  const given = { fromMs: timeOf('--from', values.from), toMs: timeOf('--to', values.to) }
  const config = readConfig(AUDIT_VARIABLES, process.env)
  const redis = await connectRedis(config.redisUrl, 'audit', TIMEOUT_MS, createLog('audit', 'silent'), REDIS_WITHIN_MS)
  const pools = { default: poolOf(config.defaultProcessorUrl), fallback: poolOf(config.fallbackProcessorUrl) }
  try {
    const keys = createKeys()
    const functions = createFunctions(redis, keys)
    const [fromMs, toMs] = [given.fromMs ?? 0, given.toMs ?? await settledUntil(redis, keys, Date.now())]
    const range = { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
    const [ours, byDefault, byFallback] = await Promise.all([
      sumsOf(functions, fromMs, toMs),
      summaryOf(pools.default, config.token ?? '', range),
      summaryOf(pools.fallback, config.token ?? '', range)
    ])
    const theirs = { default: byDefault, fallback: byFallback }
    const comparisons = PROCESSOR_NAMES.map(processor => ({ processor, ours: ours[processor], theirs: theirs[processor] }))
    const deep = values.deep === true ? await compareEach(redis, keys, pools, range) : undefined
    const unsettledCount = await redis.xlen(keys.queue)

    const isWhole = given.fromMs === undefined && given.toMs === undefined
    // What was settled in a range that is over stays as it is, but for a purge.
    const after = isWhole ? await sumsOf(functions, fromMs, toMs) : ours
    if (PROCESSOR_NAMES.some(name => !isAlike({ ours: ours[name], theirs: after[name] }))) {
      throw new Error('our books changed while they were compared, as a purge does it: run it again')
    }
    const isEqual = comparisons.every(isAlike) && (deep?.differences.length ?? 0) === 0
    console.log(values.json === true
      ? JSON.stringify({ ...range, isEqual, unsettled: unsettledCount, processors: comparisons, ...deep }, bigintAsText)
      : report(range, comparisons, deep, unsettledCount, isEqual))
    if (isWhole) await leaveResult(redis, keys, resultOf(toMs, ours, theirs, deep))
    return isEqual ? 0 : 1
  } finally {
    redis.disconnect()
    await Promise.all(Object.values(pools).map(pool => pool.destroy()))
  }
}

async function sumsOf(functions: Functions, fromMs: number, toMs: number): Promise<Books> {
  const sums = await functions.sum({ fromMs, toMs })
  if (sums.kind === 'forgotten') throw new ConfigError(`before ${sums.exactSince} the books are exact to the minute: --from must be a whole minute, --to the last millisecond of one`)
  return sums.totals
}

function timeOf(option: string, text: string | undefined): number | undefined {
  const timeMs = text === undefined ? undefined : Date.parse(text)
  if (Number.isNaN(timeMs)) throw new ConfigError(`${option} ${String(text)} is no ISO 8601 time`)
  return timeMs
}

/** Payments with this requestedAt or an earlier one are counted, or booked nowhere: what is in flight may be booked and not counted yet. */
async function settledUntil(redis: Redis, keys: Keys, nowMs: number): Promise<number> {
  const records = await redis.hvals(keys.inFlight)
  return Math.min(nowMs - JUST_BOOKED_MS, ...records.map(record => Date.parse(record.split(' ')[1] ?? '') - 1))
}

function resultOf(untilMs: number, ours: Books, theirs: Books, deep: DeepResult | undefined): AuditResult {
  const difference = (name: ProcessorName) => ({
    payments: ours[name].requests - theirs[name].requests, cents: ours[name].cents - theirs[name].cents
  })
  return {
    atMs: Date.now(), kind: deep ? 'deep' : 'plain', untilMs,
    differences: { default: difference('default'), fallback: difference('fallback') }, differingPayments: deep?.differences.length ?? null
  }
}

/** Whoever asked has the answer already, so a Redis that takes no writes is worth a word and no more. */
async function leaveResult(redis: Redis, keys: Keys, result: AuditResult): Promise<void> {
  try {
    const replies = await redis.multi().del(keys.audit).hset(keys.audit, renderAuditResult(result)).exec()
    for (const [error] of replies ?? []) if (error) throw error
  } catch (error) {
    console.error(`audit: its result could not be left in Redis: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function poolOf(origin: string): Pool {
  return new Pool(origin, { connections: LOOKUPS_AT_ONCE, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS })
}

async function summaryOf(pool: Pool, token: string, { from, to }: Range): Promise<Totals> {
  const { statusCode, body } = await pool.request({
    path: `/admin/payments-summary?from=${from}&to=${to}`, method: 'GET', headers: { 'x-rinha-token': token }
  })
  const text = await body.text()
  if (statusCode !== 200) throw new Error(`a processor answered ${statusCode} to the admin summary: is PROCESSOR_TOKEN right?`)
  const { totalRequests, totalAmount } = JSON.parse(text) as { totalRequests: number; totalAmount: number }
  return { requests: BigInt(totalRequests), cents: BigInt(Math.round(totalAmount * 100)) }
}

async function compareEach(redis: Redis, keys: Keys, pools: Record<ProcessorName, Pool>, range: Range): Promise<DeepResult> {
  const result: DeepResult = { comparedCount: 0, differences: [] }
  const [fromMs, toMs] = [Date.parse(range.from), Date.parse(range.to)]
  const payments = rememberedPayments(redis, keys)
  const compareNext = async () => {
    for (let next = await payments.next(); next.done !== true; next = await payments.next()) {
      const { correlationId, settled } = next.value
      if (settled && (settled.requestedAtMs < fromMs || settled.requestedAtMs > toMs)) continue
      const [byDefault, byFallback] = await Promise.all([lookup(pools.default, correlationId), lookup(pools.fallback, correlationId)])
      const difference = differenceOf({ correlationId, ours: settled, theirs: { default: byDefault, fallback: byFallback } })
      result.comparedCount += 1
      if (difference !== undefined) result.differences.push({ correlationId, difference })
      if (result.comparedCount % 1_000 === 0 && process.stderr.isTTY) process.stderr.write(`\r${result.comparedCount} payments compared`)
    }
  }
  await Promise.all(Array.from({ length: LOOKUPS_AT_ONCE }, compareNext))
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  return result
}

async function lookup(pool: Pool, correlationId: string): Promise<BookedEntry | undefined> {
  const { statusCode, body } = await pool.request({ path: `/payments/${correlationId}`, method: 'GET' })
  const outcome = lookupOfAnswer(statusCode, await body.text(), correlationId)
  if (outcome.kind === 'unknown') throw new Error(`a processor gave no clear answer for a payment: ${outcome.reason}`)
  return outcome.kind === 'stored' ? { cents: centsFromDecimal(outcome.amount) ?? NaN, requestedAtMs: outcome.requestedAtMs } : undefined
}

function isAlike({ ours, theirs }: Pick<Comparison, 'ours' | 'theirs'>): boolean {
  return ours.requests === theirs.requests && ours.cents === theirs.cents
}

function report(range: Range, comparisons: Comparison[], deep: DeepResult | undefined, unsettledCount: number, isEqual: boolean): string {
  const rows = comparisons.map(({ processor, ours, theirs }) => [
    processor, String(ours.requests), String(theirs.requests), String(ours.requests - theirs.requests),
    decimalFromCents(ours.cents), decimalFromCents(theirs.cents), signedDecimalFromCents(ours.cents - theirs.cents)
  ])
  const lines = [
    `${range.from} to ${range.to}`,
    renderTable(['processor', 'payments: ours', 'theirs', 'difference', 'amount: ours', 'theirs', 'difference'], rows)
  ]
  if (deep) {
    lines.push(`\n${deep.comparedCount} payments compared one by one, ${deep.differences.length} differ`)
    const shown = deep.differences.slice(0, DIFFERENCES_SHOWN)
    if (shown.length > 0) lines.push(renderTable(['payment', 'difference'], shown.map(({ correlationId, difference }) => [correlationId, difference])))
    if (deep.differences.length > shown.length) lines.push(`… and ${deep.differences.length - shown.length} more (--json has them all)`)
  }
  if (unsettledCount > 0) lines.push(`\n${unsettledCount} accepted payments are not settled yet; with --to, one that was booked and not yet counted shows as a difference for a moment.`)
  lines.push(isEqual ? '\nAll books agree.' : '\nTHE BOOKS DIFFER.')
  return lines.join('\n')
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`audit: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 2
}
