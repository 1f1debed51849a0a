// Goal: the folders keep their shape: no circles, pure decisions, each service with its own packages, no file that
// nobody uses. Who may import whom is a matter of lint (eslint.config.js), which does not see circles of types.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '..', '..')
const PRODUCT = ['gateway', 'processor-worker', 'health-monitor', 'shared']
const PACKAGES: Record<string, string[]> = {
  gateway: ['uWebSockets.js', 'ioredis'],
  'processor-worker': ['undici', 'ioredis'],
  'health-monitor': ['undici', 'ioredis'],
  shared: ['ioredis', 'pino', 'prom-client']
}
/** What decides about money and payments: given everything, reads no clock, asks nobody. */
const DECISIONS = [
  'shared/money.ts',
  'shared/totals.ts',
  'shared/id-memory.ts',
  'shared/environment.ts',
  'shared/health.ts',
  'shared/redis/attempt-record.ts',
  'gateway/payment-body.ts',
  'gateway/summary.ts',
  'gateway/refusal.ts',
  'processor-worker/breaker.ts',
  'processor-worker/routing.ts',
  'processor-worker/observed.ts',
  'processor-worker/in-hand.ts',
  'processor-worker/outcome.ts',
  'health-monitor/preference.ts',
  'processor-worker/commands/audit-differences.ts',
  'gateway/watching/status/figures.ts',
  'gateway/watching/status/problems.ts'
]

/** Paths of the TypeScript files below a folder, from the root. */
function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts'))
    .map(file => join(folder, file))
}

type Import = { specifier: string; isTypeOnly: boolean; target: string | undefined }

function importsIn(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const found = text.matchAll(
    /^\s*(?:import|export)\s+(type\s)?[^'"`;]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm
  )
  return [...found].map(([, type, ...specifiers]) => {
    const specifier = specifiers.find(Boolean) ?? ''
    const target = specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : undefined
    return { specifier, isTypeOnly: type !== undefined, target }
  })
}

const imports = new Map([...PRODUCT, 'compose', 'test'].flatMap(filesBelow).map(file => [file, importsIn(file)]))
const importsOf = (file: string) => imports.get(file) ?? []
const productFiles = [...imports.keys()].filter(file => PRODUCT.some(folder => file.startsWith(`${folder}/`)))

test('the parser of this test sees imports', () => {
  const found = importsOf('gateway/main.ts')
  assert(found.some(({ target }) => target === 'shared/redis/functions.ts'))
  assert(
    found.some(({ specifier }) => specifier === './watching/metrics.ts'),
    'those on demand as well'
  )
  assert(importsOf('gateway/intake.ts').some(({ isTypeOnly }) => isTypeOnly))
})

test('no files import each other in a circle, not even types', () => {
  const done = new Set<string>()
  const walk = (file: string, path: readonly string[]) => {
    assert(!path.includes(file), `a circle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`)
    if (done.has(file)) return
    for (const { target } of importsOf(file)) if (target !== undefined) walk(target, [...path, file])
    done.add(file)
  }
  for (const file of imports.keys()) walk(file, [])
})

test('nobody imports a main', () => {
  for (const file of productFiles)
    for (const { target } of importsOf(file)) assert(!target?.endsWith('/main.ts'), `${file} imports ${target ?? ''}`)
})

test('decisions import no I/O, however far one looks, and read no clock', () => {
  const assertPure = (file: string, from: string) => {
    const text = readFileSync(join(ROOT, file), 'utf8')
    assert(
      !/Date\.now|performance\.now|Math\.random|process\.env|new Date\(\)/.test(text),
      `${from}: ${file} is not pure`
    )
    for (const { specifier, target, isTypeOnly } of importsOf(file)) {
      if (isTypeOnly || specifier === 'node:buffer' || specifier === 'node:assert/strict') continue
      assert(target !== undefined, `${from}: ${file} imports ${specifier}`)
      assertPure(target, from)
    }
  }
  for (const file of DECISIONS) assertPure(file, file)
})

test('each service uses the packages it needs and no other', () => {
  for (const file of productFiles) {
    for (const { specifier, target } of importsOf(file)) {
      if (target !== undefined || specifier.startsWith('node:')) continue
      assert(PACKAGES[file.split('/')[0] ?? '']?.includes(specifier), `${file} imports ${specifier}`)
    }
  }
})

test('every file is used: imported, a main, or a command of package.json', () => {
  const used = new Set(productFiles.flatMap(importsOf).map(({ target }) => target))
  const commands = readFileSync(join(ROOT, 'package.json'), 'utf8')
  for (const file of productFiles) {
    assert(file.endsWith('/main.ts') || used.has(file) || commands.includes(`${file}"`), `nobody uses ${file}`)
  }
})
