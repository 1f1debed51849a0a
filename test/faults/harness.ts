// The whole pipeline as real processes, with a relay in front of Redis for each kind of service, so that its
// connections can be broken.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Own } from '../support/owner.ts'
import { startRedisProxy, type RedisProxy } from '../support/redis-proxy.ts'
import { startTestStack, type TestStack, type TestStackOptions } from '../support/stack.ts'

export type FaultStack = TestStack & {
  /** The way to Redis of all gateways, and of all workers and the health monitor. */
  proxies: { gateway: RedisProxy; worker: RedisProxy }
}

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

export type FaultStackOptions = TestStackOptions

/** Starts a stack in a directory of its own, which goes with it, or in the one that is given, which stays. */
export async function startFaultStack(own: Own, options: FaultStackOptions = {}): Promise<FaultStack> {
  const directory =
    options.directory ??
    own(await mkdtemp(join(tmpdir(), 'faults-')), made => rm(made, { recursive: true, force: true }))
  const redisPath = join(directory, 'redis.sock')
  const proxy = (name: string) => startRedisProxy(own, join(directory, `${name}.sock`), redisPath)
  const proxies = { gateway: await proxy('to-redis-g'), worker: await proxy('to-redis-w') }
  const { gateway, worker, monitor, ...others } = options.environment ?? {}
  const environment = {
    ...others,
    gateway: { REDIS_URL: proxies.gateway.url, ...PATIENT_GATEWAY, ...gateway },
    worker: { REDIS_URL: proxies.worker.url, ...QUICK_WORKER, ...worker },
    monitor: { REDIS_URL: proxies.worker.url, ...monitor }
  }
  return { ...(await startTestStack(own, 'faults', { ...options, directory, environment })), proxies }
}
