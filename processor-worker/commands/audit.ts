// npm run audit: do our books equal the processors'?
import { parseArgs } from 'node:util'
import type { Redis } from 'ioredis'
import { ConfigError, describeVariables, readConfig } from '../../shared/environment.ts'
import { createKeys, type Keys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import { readBooks } from '../../shared/redis/books.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { exactSinceOf } from '../../shared/redis/errors.ts'
import { loadLibrary } from '../../shared/redis/library.ts'
import { leftOutLong, renderAuditResult, type AuditResult } from '../../shared/watching/audit-result.ts'
import { compareEach } from './audit-each.ts'
import type { Range } from './audit-in-flight.ts'
import { isEqual, renderJson, renderReport, resultOf, type AuditFindings } from './audit-text.ts'
import { booksChanged, compareTotals, haveShrunk } from './audit-totals.ts'
import { createAuditedProcessor, type AuditedProcessors } from './audited-processor.ts'
import { rememberedPayments } from './remembered.ts'
import { AUDIT_VARIABLES, REDIS_WITHIN_MS } from './settings.ts'

const USAGE = `npm run audit: compares our totals with those of both processors.

  npm run audit -- [--from TIME] [--to TIME] [--deep] [--json]

  --from, --to   ISO 8601 UTC, both included; default: everything up to two seconds ago
  --deep         payment by payment, for all whose ids are remembered: where it was counted, where it is booked
  --json         one JSON line instead of tables

Payments in flight are in nobody's sums here: our books lack them, and what their processor has of them is taken off. They are
listed as not compared, one by one with what was found of each; one that is booked at the other processor is a difference.

An audit without --from and --to leaves its result in Redis: GET /status and the metrics tell it until the next one.

Exit codes: 0 all books agree, but for payments that are just on their way; 1 they differ; 2 something could not be asked;
3 they agree in all that was compared, but payments that have been in flight for more than a minute were not.

Environment:
${describeVariables(AUDIT_VARIABLES)}`

const TIMEOUT_MS = 30_000
/** A payment is recorded as in flight at once after its time was stamped. */
const JUST_STAMPED_MS = 2_000

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      deep: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' }
    }
  })
  if (values.help === true) {
    console.log(USAGE)
    return 0
  }
  const given = { fromMs: timeOf('--from', values.from), toMs: timeOf('--to', values.to) }
  const config = readConfig(AUDIT_VARIABLES, process.env)
  const redis = await connectRedis(config.redisUrl, 'audit', TIMEOUT_MS, createLog('audit', 'silent'), REDIS_WITHIN_MS)
  const processor = (origin: string) => createAuditedProcessor(origin, config.token ?? '', TIMEOUT_MS)
  const processors = {
    default: processor(config.defaultProcessorUrl),
    fallback: processor(config.fallbackProcessorUrl)
  }
  try {
    await loadLibrary(redis)
    const untilMs = Date.now() - JUST_STAMPED_MS
    const range = { fromMs: given.fromMs ?? 0, toMs: given.toMs ?? untilMs }
    const findings = await audit(redis, createKeys(), processors, range, {
      isOver: range.toMs <= untilMs,
      isDeep: values.deep === true
    })
    console.log(values.json === true ? renderJson(findings) : renderReport(findings))
    const result = resultOf(findings)
    if (given.fromMs === undefined && given.toMs === undefined) await leaveResult(redis, createKeys(), result)
    return !isEqual(findings) ? 1 : leftOutLong(result) ? 3 : 0
  } finally {
    redis.disconnect()
    await Promise.all([processors.default.close(), processors.fallback.close()])
  }
}

function timeOf(option: string, text: string | undefined): number | undefined {
  const timeMs = text === undefined ? undefined : Date.parse(text)
  if (Number.isNaN(timeMs)) throw new ConfigError(`${option} ${String(text)} is no ISO 8601 time`)
  return timeMs
}

async function audit(
  redis: Redis,
  keys: Keys,
  processors: AuditedProcessors,
  range: Range,
  { isOver, isDeep }: { isOver: boolean; isDeep: boolean }
): Promise<AuditFindings> {
  const compared = await compareTotals({ redis, keys, processors, range, isOver })
  const { inFlight } = compared
  const ours = { default: compared.processors.default.ours, fallback: compared.processors.fallback.ours }
  const each = isDeep ? await compareAll() : undefined
  if (isDeep && isOver && haveShrunk(ours, (await readBooks(redis, keys, range)).totals)) throw booksChanged()
  const differences = [
    ...inFlight.flatMap(({ payment, difference }) =>
      payment && difference !== undefined ? [{ correlationId: payment.correlationId, difference }] : []
    ),
    ...(each?.differences ?? [])
  ]
  return { ...compared, range, atMs: Date.now(), each, differences, unsettledCount: await redis.xlen(keys.queue) }

  async function compareAll() {
    const looked = new Set(inFlight.flatMap(({ payment }) => (payment ? [payment.correlationId] : [])))
    const result = await compareEach(rememberedPayments(redis, keys), processors, range, looked)
    // What was settled after the sums were read was compared as well.
    return {
      ...result,
      ofCount: Math.max(Number(ours.default.requests + ours.fallback.requests), result.comparedCount)
    }
  }
}

/** Whoever asked has the answer already, so a Redis that takes no writes is worth a word and no more. */
async function leaveResult(redis: Redis, keys: Keys, result: AuditResult): Promise<void> {
  try {
    const replies = await redis.multi().del(keys.audit).hset(keys.audit, renderAuditResult(result)).exec()
    for (const [error] of replies ?? []) if (error) throw error
  } catch (error) {
    console.error(
      `audit: its result could not be left in Redis: ${error instanceof Error ? error.message : String(error)}`
    )
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  const exactSince = exactSinceOf(error)
  console.error(
    `audit: ${
      exactSince !== undefined
        ? `before ${exactSince} the books are exact to the minute: --from must be a whole minute, --to the last millisecond of one`
        : error instanceof Error
          ? error.message
          : String(error)
    }`
  )
  process.exitCode = 2
}
