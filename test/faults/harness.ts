// The whole pipeline as real processes, with a relay in front of Redis for each kind of service, so that its
// connections can be broken, and with everything the checks look at.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { startStack, type Stack, type StackOptions } from '../../compose/local/stack.ts'
import { createKeys, type Keys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import type { ProcessorName } from '../../shared/payment.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import type { Own } from '../support/owner.ts'
import { ProcessorAdmin } from '../support/processor/admin-client.ts'
import { startRedisProxy, type RedisProxy } from '../support/redis-proxy.ts'

export type FaultStack = {
  directory: string
  stack: Stack
  keys: Keys
  /** Looks into Redis past the relays. */
  redis: Redis
  admins: Record<ProcessorName, ProcessorAdmin>
  /** The way to Redis of all gateways, and of all workers and the health monitor. */
  proxies: { gateway: RedisProxy; worker: RedisProxy }
  /** SIGKILL; returns when the part is gone. */
  kill: (partName: string) => Promise<void>
}

export type FaultStackOptions = Omit<StackOptions, 'directory'> & { directory?: string }

/**
 * Workers that notice soon: what takes seconds in production takes tenths of them here. But an answer that a busy
 * machine holds up for a second is an answer: tests that count attempts want each to have one.
 */
const QUICK_WORKER = {
  DEAD_AFTER_MS: '500',
  BREAKER_OPEN_MS: '100',
  FALLBACK_AFTER_MS: '300',
  PROCESSOR_TIMEOUT_MS: '3000'
}

/**
 * Longer than Redis, or the gateway itself, is held up by a fault or by a busy machine; HAProxy gives up after 10 s.
 */
const PATIENT_GATEWAY = { REDIS_TIMEOUT_MS: '8000' }

/** Starts a stack in a directory of its own, which goes with it, or in the one that is given, which stays. */
export async function startFaultStack(own: Own, options: FaultStackOptions = {}): Promise<FaultStack> {
  const directory =
    options.directory ??
    own(await mkdtemp(join(tmpdir(), 'faults-')), made => rm(made, { recursive: true, force: true }))
  const redisPath = join(directory, 'redis.sock')
  const proxy = (name: string) => startRedisProxy(own, join(directory, `${name}.sock`), redisPath)
  const proxies = { gateway: await proxy('to-redis-g'), worker: await proxy('to-redis-w') }
  const { redis: ofRedis, gateway, worker, monitor, processor } = options.environment ?? {}
  const stack = await startStack({
    ...options,
    directory,
    environment: {
      redis: { ...ofRedis },
      gateway: { REDIS_URL: proxies.gateway.url, ...PATIENT_GATEWAY, ...gateway },
      worker: { REDIS_URL: proxies.worker.url, ...QUICK_WORKER, ...worker },
      monitor: { REDIS_URL: proxies.worker.url, ...monitor },
      processor: { ...processor }
    }
  })
  own(stack, running => running.kill())
  const log = createLog('test', 'silent')
  const redis = own(await connectRedis(`unix:${stack.redisPath}`, 'test', 30_000, log), client => {
    client.disconnect()
  })
  const { default: ofDefault, fallback: ofFallback } = stack.processorUrls
  return {
    directory,
    stack,
    keys: createKeys(),
    redis,
    admins: { default: new ProcessorAdmin(ofDefault), fallback: new ProcessorAdmin(ofFallback) },
    proxies,
    async kill(partName) {
      const part = stack.part(partName)
      part.kill('SIGKILL')
      await part.exited
    }
  }
}
