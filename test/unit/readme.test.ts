// Goal: the README's table of variables says what the services really read.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { GATEWAY_VARIABLES } from '../../gateway/config.ts'
import { MONITOR_VARIABLES } from '../../health-monitor/config.ts'
import { WORKER_VARIABLES } from '../../processor-worker/config.ts'
import type { Variables } from '../../shared/config.ts'
import { COMMON_VARIABLES } from '../../shared/lifecycle.ts'

const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8')
const services: Variables[] = [COMMON_VARIABLES, GATEWAY_VARIABLES, WORKER_VARIABLES, MONITOR_VARIABLES]
const variables = services.flatMap(each => Object.values(each))

test('every variable stands in the table with its default, its range and its meaning', () => {
  for (const { name, default: standard, wants, about } of variables) {
    const row = readme.split('\n').find(line => line.startsWith(`| \`${name}\` |`))
    assert(row !== undefined, `${name} is missing`)
    for (const part of [standard === '' ? 'unset' : `\`${standard}\``, wants, about]) assert(row.includes(part), `${name}: ${part}`)
  }
})

test('the table has no variable that nobody reads', () => {
  const known = new Set(variables.map(({ name }) => name))
  for (const [, name] of readme.matchAll(/^\| `([A-Z_]+)` \|/gm)) assert(known.has(name ?? ''), `${String(name)} is read by nobody`)
})
