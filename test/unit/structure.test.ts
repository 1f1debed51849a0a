// Goal: the folders keep their shape. Services meet only through Redis and shared/, pure files know no I/O, and
// there is no file that nobody uses.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '..', '..')
const SERVICES = ['gateway', 'processor-worker', 'health-monitor'] as const
const PURE = [
  'shared/money.ts',
  'shared/payment.ts',
  'shared/keys.ts',
  'shared/totals.ts',
  'shared/config.ts',
  'shared/id-memory.ts',
  'shared/watching/memory-parts.ts',
  'gateway/http/framing.ts',
  'gateway/payment-body.ts',
  'gateway/http/problem.ts',
  'gateway/summary.ts',
  'gateway/payment-status.ts',
  'gateway/refusal.ts',
  'processor-worker/breaker.ts',
  'processor-worker/routing.ts',
  'processor-worker/routing-parameters.ts',
  'processor-worker/observed.ts',
  'processor-worker/outcome.ts',
  'health-monitor/preference.ts',
  'processor-worker/commands/audit-differences.ts',
  'processor-worker/commands/audit-in-flight.ts',
  'processor-worker/commands/audit-report.ts',
  'shared/table.ts',
  'shared/watching/histogram.ts',
  'shared/watching/recent.ts',
  'shared/watching/report.ts',
  'shared/watching/cgroup.ts',
  'shared/watching/audit-result.ts',
  'gateway/tally.ts',
  ...[
    'report',
    'status/figures',
    'status/money',
    'status/preferred',
    'status/problems',
    'status/processes',
    'status/render',
    'status/verdict',
    'status/format',
    'dashboard/history',
    'dashboard/accepts-gzip'
  ].map(name => `gateway/watching/${name}.ts`),
  ...['status-json', 'view', 'layout', 'render'].map(name => `gateway/watching/top/${name}.ts`),
  'gateway/watching/status/exact-json.ts',
  'processor-worker/tally.ts',
  'processor-worker/watching/report.ts',
  'health-monitor/tally.ts'
]

/** Paths of the TypeScript files below a folder, from the root. */
function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts'))
    .map(file => join(folder, file))
}

type Import = { file: string; specifier: string; isTypeOnly: boolean; target: string | undefined }

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  return [
    ...text.matchAll(
      /^\s*(?:import|export)\s+(type\s)?[^'"`;]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm
    )
  ].map(match => {
    const specifier = match[2] ?? match[3] ?? match[4] ?? ''
    const target = specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : undefined
    return { file, specifier, isTypeOnly: match[1] !== undefined, target }
  })
}

const serviceFiles = SERVICES.flatMap(filesBelow)
const sharedFiles = filesBelow('shared')

test('the parser of this test sees imports', () => {
  const specifiers = importsOf('gateway/handlers/purge-payments.ts').map(({ specifier }) => specifier)
  for (const specifier of ['node:crypto', '../../shared/log.ts', '../http/problem.ts', '../http/router.ts'])
    assert(specifiers.includes(specifier), specifier)
  assert(
    importsOf('gateway/main.ts').some(({ specifier }) => specifier === './watching/metrics.ts'),
    'those on demand as well'
  )
})

test('a service imports itself and shared/ only, and shared/ nothing outside', () => {
  for (const { file, target } of [...serviceFiles, ...sharedFiles].flatMap(importsOf)) {
    if (target === undefined) continue
    const [from, to] = [file.split('/')[0], target.split('/')[0]]
    assert(to === from || to === 'shared', `${file} imports ${target}`)
  }
})

test('nobody imports a main', () => {
  for (const { file, target } of [...serviceFiles, ...sharedFiles].flatMap(importsOf)) {
    assert(!target?.endsWith('/main.ts'), `${file} imports ${target ?? ''}`)
  }
})

test('pure files import types and pure files only, and read no clock', () => {
  for (const file of PURE) {
    for (const { specifier, target, isTypeOnly } of importsOf(file)) {
      const isPure =
        isTypeOnly ||
        specifier === 'node:buffer' ||
        specifier === 'node:assert/strict' ||
        (target !== undefined && PURE.includes(target))
      assert(isPure, `${file} imports ${specifier}`)
    }
    assert(
      !/Date\.now|performance\.now|Math\.random|process\.env|new Date\(\)/.test(readFileSync(join(ROOT, file), 'utf8')),
      `${file} is not pure`
    )
  }
})

test('each service uses the packages it needs and no other', () => {
  const allowed: Record<string, string[]> = {
    gateway: ['uWebSockets.js', 'ioredis'],
    'processor-worker': ['undici', 'ioredis'],
    'health-monitor': ['undici', 'ioredis'],
    shared: ['ioredis', 'pino', 'prom-client']
  }
  for (const { file, specifier, target } of [...serviceFiles, ...sharedFiles].flatMap(importsOf)) {
    if (target !== undefined || specifier.startsWith('node:')) continue
    assert(allowed[file.split('/')[0] ?? '']?.includes(specifier), `${file} imports ${specifier}`)
  }
})

test('every file is used: imported, a main, or a command of package.json', () => {
  const used = new Set([...serviceFiles, ...sharedFiles].flatMap(importsOf).map(({ target }) => target))
  const commands = readFileSync(join(ROOT, 'package.json'), 'utf8')
  for (const file of [...serviceFiles, ...sharedFiles]) {
    assert(file.endsWith('/main.ts') || used.has(file) || commands.includes(`${file}"`), `nobody uses ${file}`)
  }
})
