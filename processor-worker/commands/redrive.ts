// npm run redrive: shows the payments that a processor refused for good, and puts them back into the queue.
import { parseArgs } from 'node:util'
import { describeVariables, readConfig } from '../../shared/environment.ts'
import { createKeys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import { decimalFromCents } from '../../shared/money.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import type { DeadLetter, Redriven } from '../../shared/redis/dead-letters.ts'
import { createFunctions, type Functions } from '../../shared/redis/functions.ts'
import { adoptIdPeriods } from '../../shared/redis/id-periods.ts'
import { renderTable } from '../../shared/table.ts'
import { COMMAND_VARIABLES, REDIS_WITHIN_MS } from './settings.ts'

const USAGE = `npm run redrive: puts dead letters back into the queue, each once.

  npm run redrive                        shows them
  npm run redrive -- --all               puts all back that there are now
  npm run redrive -- UUID [UUID …]       puts these back
  npm run redrive -- --discard ID [ID …] forgets dead letters that are no payments, by the ids that the first form shows

A letter stays if it is no payment, or if its id was forgotten meanwhile and accepted again: it would be paid twice.

Exit codes: 0 done, 1 something that was asked for stays as it is, 2 Redis could not be asked.

Environment:
${describeVariables(COMMAND_VARIABLES)}`

const PAGE = 1_000
const TIMEOUT_MS = 30_000
const FIELDS_SHOWN = 100

const BECAME: Record<Redriven, string> = {
  redriven: 'is back in the queue',
  gone: 'is no dead letter',
  malformed: 'stays: it is no payment',
  known: 'stays: its id was forgotten and has been accepted again, so it would be paid twice'
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { all: { type: 'boolean' }, discard: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true
  })
  if (values.help === true) {
    console.log(USAGE)
    return 0
  }
  if (values.discard === true && (values.all === true || positionals.length === 0))
    throw new Error('--discard wants the ids of dead letters')
  const config = readConfig(COMMAND_VARIABLES, process.env)
  const redis = await connectRedis(
    config.redisUrl,
    'redrive',
    TIMEOUT_MS,
    createLog('redrive', 'silent'),
    REDIS_WITHIN_MS
  )
  try {
    const keys = createKeys()
    await adoptIdPeriods(redis, keys)
    const functions = createFunctions(redis, keys, config.idRetentionHours)
    if (values.discard === true) return await discard(functions, positionals)
    if (values.all === true) return await redriveAll(functions)
    if (positionals.length > 0)
      return await redriveSome(
        functions,
        positionals.map(text => text.toLowerCase())
      )
    await show(functions)
    return 0
  } finally {
    redis.disconnect()
  }
}

/**
 * Page by page, the oldest first, up to the newest of the beginning: what is refused again meanwhile waits for the next
 * time.
 */
async function* letters(functions: Functions): AsyncGenerator<DeadLetter> {
  const last = await functions.newestDeadLetter()
  if (last === undefined) return
  let after: string | undefined
  while (true) {
    const page = await functions.deadLetters(PAGE, after)
    for (const letter of page) {
      yield letter
      if (letter.letterId === last) return
    }
    after = page.at(-1)?.letterId
    if (after === undefined || isLater(after, last)) return
  }
}

/** Entry ids are two numbers: "<ms>-<place in it>". */
function isLater(entryId: string, than: string): boolean {
  const [ms = 0, place = 0] = entryId.split('-').map(Number)
  const [thanMs = 0, thanPlace = 0] = than.split('-').map(Number)
  return ms > thanMs || (ms === thanMs && place > thanPlace)
}

async function redriveOne(functions: Functions, letter: DeadLetter): Promise<Redriven> {
  return letter.kind === 'malformed' ? 'malformed' : await functions.redrive(letter)
}

async function redriveAll(functions: Functions): Promise<number> {
  const counts: Record<Redriven, number> = { redriven: 0, gone: 0, malformed: 0, known: 0 }
  for await (const letter of letters(functions)) counts[await redriveOne(functions, letter)] += 1
  console.log(`${counts.redriven} payments are back in the queue.`)
  if (counts.malformed > 0)
    console.log(`${counts.malformed} dead letters stay: they are no payments. Without --all they are shown.`)
  if (counts.known > 0)
    console.log(`${counts.known} dead letters stay: their ids were forgotten and have been accepted again.`)
  return counts.malformed + counts.known > 0 ? 1 : 0
}

async function redriveSome(functions: Functions, correlationIds: readonly string[]): Promise<number> {
  const wanted = new Map<string, DeadLetter | undefined>(correlationIds.map(id => [id, undefined]))
  for await (const letter of letters(functions)) {
    if (letter.kind === 'payment' && wanted.has(letter.correlationId)) wanted.set(letter.correlationId, letter)
  }
  let isAllBack = true
  for (const [correlationId, letter] of wanted) {
    const became = letter ? await redriveOne(functions, letter) : 'gone'
    console.log(`${correlationId} ${BECAME[became]}`)
    isAllBack &&= became === 'redriven'
  }
  return isAllBack ? 0 : 1
}

async function discard(functions: Functions, letterIds: readonly string[]): Promise<number> {
  const BECAME = {
    discarded: 'is forgotten',
    gone: 'is no dead letter',
    payment: 'stays: it is a payment, which can be redriven'
  }
  let isAllGone = true
  for (const letterId of letterIds) {
    const became = /^\d+-\d+$/.test(letterId) ? await functions.discard(letterId) : 'gone'
    console.log(`${letterId} ${BECAME[became]}`)
    isAllGone &&= became === 'discarded'
  }
  return isAllGone ? 0 : 1
}

async function show(functions: Functions): Promise<void> {
  const all = await functions.deadLetters(PAGE)
  if (all.length === 0) {
    console.log('No dead letters.')
    return
  }
  const payments = all.filter(letter => letter.kind === 'payment')
  const malformed = all.filter(letter => letter.kind === 'malformed')
  if (payments.length > 0) {
    const rows = payments.map(({ correlationId, cents, reason, attempt }) => [
      correlationId,
      decimalFromCents(cents),
      reason,
      attempt
    ])
    console.log(renderTable(['payment', 'amount', 'reason', 'attempt'], rows))
  }
  if (malformed.length > 0) {
    const rows = malformed.map(({ letterId, fields, reason }) => [
      letterId,
      fields.length > FIELDS_SHOWN ? `${fields.slice(0, FIELDS_SHOWN)}…` : fields,
      reason
    ])
    console.log(renderTable(['no payment', 'fields', 'reason'], rows))
  }
  if (all.length === PAGE) console.log(`These are the oldest ${PAGE}.`)
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`redrive: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 2
}
