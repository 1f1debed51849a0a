// Goal: a bad environment is named before anything starts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GATEWAY_VARIABLES } from '../../gateway/config.ts'
import { MONITOR_VARIABLES } from '../../health-monitor/config.ts'
import { WORKER_VARIABLES } from '../../processor-worker/config.ts'
import { address, ConfigError, describeVariables, httpOrigin, integer, oneOf, optionalText, readConfig } from '../../shared/config.ts'
import { REDIS_URL } from '../../shared/redis/connect.ts'

const about = 'for a test'

test('every default is a good value', () => {
  for (const variables of [GATEWAY_VARIABLES, WORKER_VARIABLES, MONITOR_VARIABLES]) readConfig(variables, {})
})

test('all bad variables are named at once, with what they want', () => {
  const variables = { a: integer('A', { default: 1, min: 1, max: 5, unit: 'ms', about }), b: oneOf('B', ['x', 'y'], { default: 'x', about }) }
  assert.throws(() => readConfig(variables, { A: '6', B: 'z' }), (error: unknown) => {
    assert(error instanceof ConfigError)
    assert.match(error.message, /A="6".*from 1 to 5 \(ms\)\nB="z".*one of x, y/)
    return true
  })
  assert.deepEqual(readConfig(variables, { A: ' 5 ', B: '' }), { a: 5, b: 'x' })
})

test('numbers', () => {
  const { parse } = integer('A', { default: 1, min: 0, max: 10, unit: '', about })
  for (const text of ['-1', '11', '1.5', '1e1', 'x', '0x1', '']) assert.equal(parse(text), undefined, text)
  assert.equal(parse('10'), 10)
})

test('addresses', () => {
  const { parse } = address('A', { default: '', about })
  assert.deepEqual(parse('unix:/run/a.sock'), { kind: 'unix', path: '/run/a.sock' })
  assert.deepEqual(parse('0.0.0.0:8080'), { kind: 'tcp', host: '0.0.0.0', port: 8080 })
  assert.deepEqual(parse('[::1]:80'), { kind: 'tcp', host: '::1', port: 80 })
  for (const text of ['unix:a.sock', `unix:/${'x'.repeat(107)}`, '8080', ':8080', 'host:65536', 'host:', 'a:b:1']) assert.equal(parse(text), undefined, text)
})

test('origins', () => {
  const { parse } = httpOrigin('A', { default: '', about })
  assert.equal(parse('http://processor:8080/'), 'http://processor:8080')
  for (const text of ['processor:8080', 'ftp://processor', 'http://processor/payments', 'http://user@processor', '']) assert.equal(parse(text), undefined, text)
})

test('Redis URLs', () => {
  for (const text of ['redis://localhost:6379', 'rediss://user:secret@host:6380/1', 'unix:/run/redis.sock']) assert.equal(REDIS_URL.parse(text), text)
  for (const text of ['localhost:6379', 'unix:redis.sock', 'http://host', '']) assert.equal(REDIS_URL.parse(text), undefined, text)
})

test('amounts, tokens', () => {
  assert.equal(GATEWAY_VARIABLES.maxAmount.parse('0.01'), 1)
  for (const text of ['0', '-1', '1.001', '1000000000.01', '1e3', '']) assert.equal(GATEWAY_VARIABLES.maxAmount.parse(text), undefined, text)
  const token = optionalText('A', { wants: '', about, pattern: /^x+$/ })
  assert.equal(token.parse(''), null)
  assert.equal(token.parse('xx'), 'xx')
  assert.equal(token.parse('y'), undefined)
})

test('--help shows every variable with its range and default', () => {
  const text = describeVariables(WORKER_VARIABLES)
  for (const { name } of Object.values(WORKER_VARIABLES)) assert(text.includes(name))
  assert.match(text, /IN_FLIGHT_MAX\n.*\n.*from 1 to 10000 \(payments\); default: 800/)
})
