// Goal: the relay that the other fault tests rely on breaks what it is told to break, and nothing else.
// Method: a real redis-server behind it; what was carried out is read past the relay.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { createLog } from '../../shared/log.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { createOwner } from '../support/owner.ts'
import { startRedisProxy } from '../support/redis-proxy.ts'
import { createCommandSplitter } from '../support/redis-commands.ts'
import { startTestRedis } from '../support/redis.ts'

const { redis, url } = await startTestRedis()
const owner = createOwner()
after(() => owner.release())
const directory = owner.own(await mkdtemp(join(tmpdir(), 'proxy-')), made => rm(made, { recursive: true }))
const proxy = await startRedisProxy(owner.own, join(directory, 'proxy.sock'), url.replace('unix:', ''))
const connect = async (replyTimeoutMs = 30_000): Promise<Redis> =>
  owner.own(await connectRedis(proxy.url, 'test', replyTimeoutMs, createLog('test', 'silent')), client =>
    client.disconnect()
  )

test('commands and replies pass through, pipelined and large', async () => {
  const client = await connect()
  const values = Array.from({ length: 500 }, (_, index) => `${index} `.repeat(index))
  await Promise.all(values.map((value, index) => client.set(`key-${index}`, value)))
  assert.deepEqual(await client.mget(...values.map((_, index) => `key-${index}`)), values)
})

test('a fault hits the command that it is meant for, and its connection', async () => {
  const wasCarriedOut = {
    'lose-request': null,
    'cut-request': null,
    'lose-reply': '1',
    'cut-reply': '1',
    'go-silent': '1'
  } as const
  for (const [fault, expected] of Object.entries(wasCarriedOut)) {
    // Nothing but its own time-out tells a client of silence.
    const client = await connect(fault === 'go-silent' ? 1_000 : undefined)
    const other = await connect()
    const happened = proxy.next(`victim-${fault}`, fault as keyof typeof wasCarriedOut)
    const commands = [
      client.set(`before-${fault}`, 'x'),
      client.set(`victim-${fault}`, '1'),
      other.get('key-1')
    ] as const
    const replies = await Promise.allSettled(commands)
    await happened
    assert.equal(replies[1].status, 'rejected', fault)
    assert.deepEqual(replies[2], { status: 'fulfilled', value: '1 ' })
    assert.equal(await redis.get(`victim-${fault}`), expected, fault)
    assert.equal(await redis.get(`before-${fault}`), 'x')
    client.disconnect()
  }
})

test('what is held back waits, with all that follows on its connection', async () => {
  const client = await connect()
  const other = await connect()
  const hold = proxy.hold('held-key')
  const replies = Promise.allSettled([client.set('held-key', '1'), client.set('follower', '1')])
  await hold.caught
  await other.set('held-other', '1')
  assert.deepEqual(await redis.mget('held-key', 'follower', 'held-other'), [null, null, '1'])
  hold.release()
  await replies
  assert.deepEqual(await redis.mget('held-key', 'follower'), ['1', '1'])
})

test('cutting everything ends what is under way, and clients come back', async () => {
  const client = await connect()
  const blocked = client.call('BLPOP', 'nothing', '1').then(
    () => 'answered',
    () => 'cut'
  )
  await sleep(0)
  proxy.cutAll()
  assert.equal(await blocked, 'cut')
  await new Promise(resolve => client.once('ready', resolve))
  assert.equal(await client.get('key-1'), '1 ')
})

test('commands are found however the bytes are cut', () => {
  const word = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`
  const command = (...words: string[]) => `*${words.length}\r\n${words.map(word).join('')}`
  const commands = [command('PING'), command('SET', 'a', 'b\r\n*1\r\n'), command('SET', 'ü', ''), command('GET', 'a')]
  const bytes = Buffer.from(commands.join(''))
  for (let size = 1; size <= bytes.length; size++) {
    const split = createCommandSplitter()
    const found: string[] = []
    for (let at = 0; at < bytes.length; at += size) {
      found.push(...split(bytes.subarray(at, at + size)).map(each => each.bytes.toString()))
    }
    assert.deepEqual(found, commands)
  }
})
