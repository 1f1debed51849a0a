// Goal: a bad environment is named before anything starts.
// Method: tables of texts that are a value, and of others; and of settings that contradict each other.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GATEWAY_RULES, GATEWAY_VARIABLES } from '../../gateway/variables.ts'
import { MONITOR_VARIABLES } from '../../health-monitor/variables.ts'
import { WORKER_VARIABLES } from '../../processor-worker/variables.ts'
import {
  address,
  ConfigError,
  describeVariables,
  httpOrigin,
  integer,
  oneOf,
  optionalText,
  problemsIn,
  readConfig,
  type Rule
} from '../../shared/environment.ts'
import { REDIS_URL, retiredIn, SERVICE_VARIABLES } from '../../shared/variables.ts'
import { words } from '../support/words.ts'

const about = 'for a test'
const digit = (name: string, standard: number) => integer(name, { default: standard, min: 1, max: 9, unit: '', about })

test('every default is a good value, and they go together', () => {
  readConfig({ ...GATEWAY_VARIABLES, ...SERVICE_VARIABLES }, {}, GATEWAY_RULES)
  readConfig(WORKER_VARIABLES, {})
  readConfig(MONITOR_VARIABLES, {})
})

test('all bad variables are named at once, with what they want', () => {
  const variables = {
    a: integer('A', { default: 1, min: 1, max: 5, unit: 'ms', about }),
    b: oneOf('B', ['x', 'y'], { default: 'x', about })
  }
  assert.throws(() => readConfig(variables, { A: '6', B: 'z' }), {
    name: 'ConfigError',
    message: /A="6".*from 1 to 5 \(ms\)\nB="z".*one of x, y/
  })
  assert.deepEqual(readConfig(variables, { A: ' 5 ', B: '' }), { a: 5, b: 'x' })
})

test('settings that contradict each other are named together, with all that is bad, and what is wanted', () => {
  const variables = { a: digit('A', 1), b: digit('B', 2), c: digit('C', 3) }
  const rules: Rule<typeof variables>[] = [
    { between: ['a', 'b'], wants: 'B above A', isKept: ({ a, b }) => b > a },
    { between: ['b', 'c'], wants: 'C above B', isKept: ({ b, c }) => c > b }
  ]
  assert.deepEqual(problemsIn(variables, {}, rules), [])
  assert.deepEqual(problemsIn(variables, { A: '5', B: '5' }, rules), [
    'A="5", B="5" contradict each other: wanted is B above A',
    'B="5", C="3" contradict each other: wanted is C above B'
  ])
  // Of what is not usable by itself nobody knows what it was meant to be.
  assert.deepEqual(problemsIn(variables, { A: 'x', B: '4' }, rules), [
    'A="x" is not usable: it wants a whole number from 1 to 9',
    'B="4", C="3" contradict each other: wanted is C above B'
  ])
  assert.throws(
    () => readConfig(variables, { A: '5' }, rules),
    new ConfigError('A="5", B="2" contradict each other: wanted is B above A')
  )
})

test('what services refuse and take together', () => {
  const problemOf = (environment: Record<string, string>) =>
    [
      ...problemsIn({ ...GATEWAY_VARIABLES, ...SERVICE_VARIABLES }, environment, GATEWAY_RULES),
      ...problemsIn(WORKER_VARIABLES, environment),
      ...problemsIn(MONITOR_VARIABLES, environment)
    ].join('\n')
  const contradictions: [environment: Record<string, string>, ...words: string[]][] = [
    [{ DEFAULT_FEE: '0.2' }, 'DEFAULT_FEE="0.2"', 'FALLBACK_FEE="0.15"', 'not above'],
    [{ LISTEN: '[::1]:80', METRICS_LISTEN: '[::1]:80' }, 'another address'],
    [{ LISTEN: 'unix:/g', METRICS_LISTEN: 'unix:/g' }, 'LISTEN="unix:/g"', 'METRICS_LISTEN', 'another address']
  ]
  for (const [environment, ...parts] of contradictions) {
    const problem = problemOf(environment)
    for (const part of parts) assert(problem.includes(part), `${JSON.stringify(environment)}: ${problem}`)
    assert.equal(problem.split('\n').length, 1)
  }
  const fine: Record<string, string>[] = [
    { DEFAULT_FEE: '0.15' },
    { METRICS_LISTEN: '127.0.0.1:8081' },
    { PURGE_TOKEN: 'no-use-while-closed' },
    { STATUS: 'closed' },
    { FALLBACK_AFTER_MS: '100' }
  ]
  for (const environment of fine) assert.equal(problemOf(environment), '')
})

test('what is a setting no more is named, with what stands for it', () => {
  const sentences = retiredIn({ HEARTBEAT_MS: '100', WORKER_NAME: 'w', GATEWAY_NAME: '', NAME: 'w', LISTEN: ':1' })
  assert.deepEqual(sentences, [
    'WORKER_NAME is not a setting any more; in its place: NAME',
    'HEARTBEAT_MS is not a setting any more; in its place: a quarter of DEAD_AFTER_MS'
  ])
})

/** What is no value. */
function assertRefused({ parse }: { parse: (text: string) => unknown }, texts: readonly string[]): void {
  for (const text of texts) assert.equal(parse(text), undefined, text)
}

test('numbers', () => {
  const number = integer('A', { default: 1, min: 0, max: 10, unit: '', about })
  assert.deepEqual(['0', '10'].map(number.parse), [0, 10])
  assertRefused(number, ['-1', '11', '1.5', '1e1', 'x', '0x1', ''])
})

test('addresses', () => {
  const listen = address('A', { default: '', about })
  assert.deepEqual(listen.parse('unix:/run/a.sock'), { kind: 'unix', path: '/run/a.sock' })
  assert.deepEqual(listen.parse('0.0.0.0:8080'), { kind: 'tcp', host: '0.0.0.0', port: 8080 })
  assert.deepEqual(listen.parse('[::1]:80'), { kind: 'tcp', host: '::1', port: 80 })
  assertRefused(listen, words(`unix:a.sock unix:/${'x'.repeat(107)} 8080 :8080 host:65536 host: a:b:1`))
})

test('origins', () => {
  const origin = httpOrigin('A', { default: '', about })
  assert.equal(origin.parse('http://processor:8080/'), 'http://processor:8080')
  const others = words('processor:8080 ftp://processor http://processor/payments http://user@processor')
  assertRefused(origin, [...others, ''])
})

test('Redis URLs', () => {
  for (const text of ['redis://localhost:6379', 'rediss://user:secret@host:6380/1', 'unix:/run/redis.sock'])
    assert.equal(REDIS_URL.parse(text), text)
  assertRefused(REDIS_URL, ['localhost:6379', 'unix:redis.sock', 'http://host', ''])
})

test('amounts, tokens', () => {
  assert.equal(GATEWAY_VARIABLES.maxAmount.parse('0.01'), 1)
  assertRefused(GATEWAY_VARIABLES.maxAmount, ['0', '-1', '1.001', '1000000000.01', '1e3', ''])
  const token = optionalText('A', { wants: '', about, pattern: /^x+$/ })
  assert.deepEqual(['', 'xx', 'y'].map(token.parse), [null, 'xx', undefined])
})

test('--help shows every variable with its range and default', () => {
  const text = describeVariables(WORKER_VARIABLES)
  for (const { name } of Object.values(WORKER_VARIABLES)) assert(text.includes(name))
  assert.match(text, /IN_FLIGHT_MAX\n.*\n.*from 1 to 10000 \(payments\); default: 800/)
})
