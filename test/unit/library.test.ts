// Goal: both sides of Redis, our TypeScript and our Lua, mean the same, and docs/redis.md knows every key.
// Method: the text of the Lua files and of the document, and errors as the client gives them.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createKeys } from '../../shared/keys.ts'
import { exactSinceOf, isReplyError, LIBRARY_ERRORS, noPeriodOf, replyErrorCode } from '../../shared/redis/errors.ts'
import { LUA_FILES } from '../../shared/redis/library.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const FOLDER = join(ROOT, 'shared', 'redis', 'lua')
const read = (file: string) => readFileSync(join(FOLDER, file), 'utf8')
const all = LUA_FILES.map(read).join('\n')

describe('the Lua files', () => {
  it('are all in the library', () => assert.deepEqual(readdirSync(FOLDER).sort(), [...LUA_FILES].sort()))
  it('register each function that has a header', () => {
    const described = [...all.matchAll(/^--\[\[ (\w+): /gm)].map(([, name]) => name)
    const registered = [...read('register-functions.lua').matchAll(/^ {2}\{ '(\w+)', (\w+),/gm)]
    assert(described.length > 20)
    assert.deepEqual(registered.map(([, name]) => name).sort(), described.sort())
    for (const [, name, callback] of registered) assert.equal(callback, name)
  })
  it('leave room for more: Lua knows 200 locals of one text', () => assert((all.match(/^local /gm)?.length ?? 0) < 150))
})

describe('errors', () => {
  const replyError = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' })

  it('of the library have the same names on both sides, and only refusal() makes them', () => {
    const [, table = ''] = /^local ERRORS = \{\n([^]*?)^\}/m.exec(read('errors.lua')) ?? []
    assert.deepEqual(
      [...table.matchAll(/^ {2}(\w+) = /gm)].map(([, name]) => name),
      [...LIBRARY_ERRORS]
    )
    const made = new Set([...all.matchAll(/\brefusal\('(\w+)'/g)].map(([, name]) => name))
    assert.deepEqual([...made].sort(), [...LIBRARY_ERRORS].sort())
    assert.equal(all.match(/error_reply/g)?.length, 1)
  })
  it('are known by their first word', () => {
    for (const code of [...LIBRARY_ERRORS, 'OOM', 'NOGROUP', 'BUSYGROUP'] as const)
      assert.equal(replyErrorCode(replyError(`${code} whatever else`)), code)
    assert.equal(replyErrorCode(replyError('LOADING Redis is loading')), undefined)
    assert.equal(replyErrorCode(new Error('OOM')), undefined)
    assert.equal(replyErrorCode('OOM'), undefined)
    assert(isReplyError(replyError('LOADING')) && !isReplyError(new Error('Connection is closed.')))
  })
  it('tell what follows it', () => {
    assert.deepEqual(noPeriodOf(replyError('PERIOD 1795250982494 0')), { nowMs: 1_795_250_982_494, newestStartMs: 0 })
    assert.equal(noPeriodOf(replyError('OOM command not allowed')), undefined)
    assert.equal(exactSinceOf(replyError('EXACTSINCE 2026-11-20T08:49:00.000Z')), '2026-11-20T08:49:00.000Z')
    assert.equal(exactSinceOf(replyError('EXACTSINCE ever')), '')
    assert.equal(exactSinceOf(replyError('PERIOD 1 2')), undefined)
  })
})

it('the table of docs/redis.md has every key, and no other', () => {
  const { prefix, ...keys } = createKeys()
  const known = Object.values(keys).map(key => (typeof key === 'string' ? key : key('default', 'cents', '')))
  const rows = [...readFileSync(join(ROOT, 'docs', 'redis.md'), 'utf8').matchAll(/^\| `(\{payments\}:[^`]+)` \|/gm)]
  const beginning = (key: string) => key.replace(/[:*]+((<|default).*)?$/, '')
  assert.deepEqual(new Set(rows.map(([, key = '']) => beginning(key))), new Set(known.map(beginning)))
  assert(known.every(key => key.startsWith(prefix)))
})
