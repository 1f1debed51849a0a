// npm run redrive: shows the payments that a processor refused for good, and puts them back into the queue.
import { parseArgs } from 'node:util'
import { describeVariables, readConfig } from '../../shared/config.ts'
import { createIdPeriods } from '../../shared/id-memory.ts'
import { createKeys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import { decimalFromCents } from '../../shared/money.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { createFunctions } from '../../shared/redis/functions.ts'
import { renderTable } from '../../shared/table.ts'
import { COMMAND_VARIABLES, REDIS_WITHIN_MS } from './settings.ts'

const USAGE = `npm run redrive: puts dead letters back into the queue, each once.

  npm run redrive                      shows them
  npm run redrive -- --all             puts all back
  npm run redrive -- UUID [UUID …]     puts these back

Exit codes: 0 done, 1 one of the UUIDs is no dead letter, 2 Redis could not be asked.

Environment:
${describeVariables(COMMAND_VARIABLES)}`

const LETTERS_SHOWN = 1_000
const TIMEOUT_MS = 30_000

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: { all: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } }, allowPositionals: true })
  if (values.help === true) {
    console.log(USAGE)
    return 0
  }
  const config = readConfig(COMMAND_VARIABLES, process.env)
  const redis = await connectRedis(config.redisUrl, 'redrive', TIMEOUT_MS, createLog('redrive', 'silent'), REDIS_WITHIN_MS)
  try {
    const functions = createFunctions(redis, createKeys(), createIdPeriods(config.idRetentionHours))
    if (values.all === true) {
      let count = 0
      for (let letters = await functions.deadLetters(LETTERS_SHOWN); letters.length > 0; letters = await functions.deadLetters(LETTERS_SHOWN)) {
        for (const letter of letters) count += Number(await functions.redrive(letter))
      }
      console.log(`${count} payments are back in the queue.`)
      return 0
    }

    const letters = await functions.deadLetters(positionals.length > 0 ? Number.MAX_SAFE_INTEGER : LETTERS_SHOWN)
    if (positionals.length === 0) {
      const rows = letters.map(({ correlationId, cents, reason, attempt }) => [correlationId, decimalFromCents(cents), reason, attempt])
      console.log(rows.length === 0 ? 'No dead letters.' : renderTable(['payment', 'amount', 'reason', 'attempt'], rows))
      return 0
    }
    let isAllFound = true
    for (const correlationId of positionals.map(text => text.toLowerCase())) {
      const letter = letters.find(each => each.correlationId === correlationId)
      const isBack = letter !== undefined && await functions.redrive(letter)
      console.log(`${correlationId} ${isBack ? 'is back in the queue' : 'is no dead letter'}`)
      isAllFound &&= isBack
    }
    return isAllFound ? 0 : 1
  } finally {
    redis.disconnect()
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`redrive: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 2
}
