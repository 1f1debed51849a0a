// Goal: services of two versions run side by side on one Redis, so that an upgrade, and the way back, cost no client an
// error and no payment its life.
// Method: under load each service of a real pipeline is replaced, one after the other, by one of a copy of the code
// whose Redis functions have another version; and then the other way round, after Redis was told to forget the version
// that nobody used.
import assert from 'node:assert/strict'
import { appendFile, cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { eventually, PATIENCE_MS, STUCK_AFTER_MS } from '../support/eventually.ts'
import type { Own } from '../support/owner.ts'
import { startService, type ServiceProcess } from '../support/service.ts'
import { startScene } from './scene.ts'

const REPOSITORY = join(import.meta.dirname, '..', '..')

/** A copy of the services that differs in the text, and so in the version, of the Redis functions. */
async function anotherVersion(own: Own): Promise<string> {
  const copy = own(await mkdtemp(join(tmpdir(), 'version-')), made => rm(made, { recursive: true, force: true }))
  for (const name of ['package.json', 'shared', 'gateway', 'processor-worker', 'health-monitor']) {
    await cp(join(REPOSITORY, name), join(copy, name), { recursive: true })
  }
  await symlink(join(REPOSITORY, 'node_modules'), join(copy, 'node_modules'))
  await appendFile(join(copy, 'shared/redis/lua/register-functions.lua'), '\n-- Another version.\n')
  return copy
}

async function libraries(redis: Redis): Promise<string[]> {
  const listed = (await redis.call('FUNCTION', 'LIST')) as unknown[][]
  return listed.map(fields => String(fields[fields.indexOf('library_name') + 1]))
}

describe('an upgrade under load', { timeout: STUCK_AFTER_MS }, () => {
  it('costs no client an error and no payment its life, and neither does the way back', async t => {
    const { own, stack, redis, directory, traffic, status, assertAddsUp } = await startScene(t, { monitors: 1 })
    const copy = await anotherVersion(own)
    traffic.start(200)
    const goesOn = async () => {
      const acceptedCount = traffic.accepted.size
      await eventually('more is accepted', () => traffic.accepted.size > acceptedCount + 100)
    }
    await goesOn()
    const [oldLibrary = ''] = await libraries(redis)

    const REDIS_URL = `unix:${stack.redisPath}`
    const processors = {
      DEFAULT_PROCESSOR_URL: stack.processorUrls.default,
      FALLBACK_PROCESSOR_URL: stack.processorUrls.fallback
    }
    const start = async (...[name, environment]: Parameters<typeof startService>) => {
      const service = startService(name, { REDIS_URL, ...environment }, [], copy)
      await service.untilLogged('ready')
      return service
    }
    /** Until HAProxy sends requests to the gateway of this name. */
    const isUsed = (name: string) =>
      eventually(`${name} accepts payments`, async () => {
        const gateway = (await status()).gateways.find(({ label, isAlive }) => label === name && isAlive)
        return (gateway?.acceptedPerSecond ?? 0) > 0
      })
    const leave = async (service: ServiceProcess) => {
      service.kill('SIGTERM')
      assert.deepEqual(await service.exited, { code: 0, signal: null })
    }

    // The worker and the monitor: the new one beside the old one, then the old one goes.
    const worker = await start('processor-worker', { ...processors, NAME: 'worker-1' })
    await goesOn()
    await stack.part('worker-1').stop(PATIENCE_MS)
    const monitor = await start('health-monitor', { ...processors, NAME: 'monitor-1' })
    await stack.part('monitor-1').stop(PATIENCE_MS)
    // The gateways by turns: HAProxy sends everything to the other one meanwhile.
    const gateways: ServiceProcess[] = []
    for (const name of ['gateway-1', 'gateway-2']) {
      await stack.part(name).stop(PATIENCE_MS)
      gateways.push(await start('gateway', { LISTEN: `unix:${join(directory, `${name}.sock`)}`, NAME: name }))
      await isUsed(name)
    }
    await goesOn()
    assert.equal((await libraries(redis)).length, 2)
    await redis.call('FUNCTION', 'DELETE', oldLibrary)
    await goesOn()
    assert(!(await libraries(redis)).includes(oldLibrary), 'nobody calls it any more')

    await stack.part('worker-1').start()
    await leave(worker)
    await stack.part('monitor-1').start()
    await leave(monitor)
    for (const [index, service] of gateways.entries()) {
      await leave(service)
      await stack.part(`gateway-${index + 1}`).start()
      await isUsed(`gateway-${index + 1}`)
    }
    await goesOn()
    await traffic.stop()
    assert.deepEqual(traffic.errors, {})
    await assertAddsUp()
  })
})
