// Carries out the faults of a plan on a running stack, and undoes each of them when its time is over.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { eventually } from '../support/eventually.ts'
import type { FaultStack } from './harness.ts'
import type { Fault } from './plan.ts'

export type Injector = {
  /** Resolves when the fault is over, and whatever it stopped runs again. */
  inject: (fault: Fault) => Promise<void>
}

export type InjectorEvents = {
  /** It is about to happen; for a command that breaks, it has happened. */
  onFault: (fault: Fault) => void
  /** These parts are gone, since `killedAtMs` (of performance.now). */
  onKilled: (fault: Fault, killedAtMs: number) => void
}

/** @param over ends what is going on, with an AbortError and without starting anything again */
export function createInjector(fault: FaultStack, { onFault, onKilled }: InjectorEvents, over: AbortSignal): Injector {
  const pause = (ms: number) => sleep(ms, undefined, { signal: over })
  const { stack, redis, admins, proxies } = fault
  const users = new Map<string, Promise<void>>()

  /** One fault at a time does something to a part; those that come meanwhile wait for their turn. */
  const using = async (names: readonly string[], work: () => Promise<void>): Promise<void> => {
    const before = names.map(name => users.get(name) ?? Promise.resolve())
    const mine = Promise.all(before).then(work)
    const ended = mine.catch(() => undefined)
    for (const name of names) users.set(name, ended)
    await mine
  }

  const usingRedis = (work: () => Promise<unknown>) =>
    using(['redis'], async () => {
      // After a kill of Redis our own connection needs a moment as well.
      await eventually('our connection to Redis is there', () => redis.status === 'ready')
      await work()
    })

  const kill = async (parts: readonly string[], downMs: number, each: Fault) => {
    const killedAtMs = performance.now()
    for (const name of parts) stack.part(name).kill('SIGKILL')
    await Promise.all(parts.map(name => stack.part(name).exited))
    onKilled(each, killedAtMs)
    await pause(downMs)
    // Whoever needs Redis and finds none yet waits for it.
    await Promise.all(parts.map(name => stack.part(name).start()))
  }

  const whileSet = async (forMs: number, set: () => Promise<void>, unset: () => Promise<void>) => {
    await set()
    await pause(forMs)
    await unset()
  }

  const run = async (each: Fault): Promise<void> => {
    switch (each.kind) {
      case 'kill':
        await using(each.parts, () => kill(each.parts, each.downMs, each))
        break
      case 'freeze':
        await using([each.part], async () => {
          const part = stack.part(each.part)
          part.kill('SIGSTOP')
          await pause(each.forMs)
          part.kill('SIGCONT')
        })
        break
      case 'restart':
        await using([each.part], async () => {
          await stack.part(each.part).stop()
          await stack.part(each.part).start()
        })
        break
      case 'answers': {
        const { processor, answer: kind, insert, probability, forMs } = each
        await using([`processor-${processor}`], () =>
          whileSet(
            forMs,
            () => admins[processor].setFaults([{ kind, insert, probability }]),
            () => admins[processor].setFaults()
          )
        )
        break
      }
      case 'reject':
        await using(
          each.processors.map(name => `processor-${name}`),
          async () => {
            for (const name of each.processors)
              await admins[name].setFaults([{ kind: 'status', status: 400, next: each.count }])
            await pause(500)
            for (const name of each.processors) await admins[name].setFaults()
          }
        )
        break
      case 'slow':
        await using(
          each.processors.map(name => `processor-${name}`),
          () =>
            whileSet(
              each.forMs,
              async () => {
                for (const name of each.processors) await admins[name].setDelay(each.delayMs)
              },
              async () => {
                for (const name of each.processors) await admins[name].setDelay(0)
              }
            )
        )
        break
      case 'failing':
        await using(
          each.processors.map(name => `processor-${name}`),
          async () => {
            const endMs = performance.now() + each.forMs
            for (let isFailing = true; performance.now() < endMs; isFailing = !isFailing) {
              for (const name of each.processors) await admins[name].setFailing(isFailing)
              await pause(each.toggleMs ?? each.forMs)
            }
            for (const name of each.processors) await admins[name].setFailing(false)
          }
        )
        break
      case 'redis-command':
        // Not all of these commands are sent all the time: what has not happened when the run ends is forgotten then.
        void proxies[each.side].next(`${each.command}_`, each.fault).then(() => onFault(each))
        break
      case 'redis-cut':
        proxies[each.side].cutAll()
        break
      case 'redis-full':
        await usingRedis(() =>
          whileSet(
            each.forMs,
            () => setMemoryMax('1'),
            () => setMemoryMax('0')
          )
        )
        break
      case 'redis-busy':
        await usingRedis(() => keepBusy(redis, each.forMs))
        break
      case 'function-flush':
        await usingRedis(() => redis.call('FUNCTION', 'FLUSH'))
        break
      case 'rewrite-log':
        await usingRedis(() => redis.call('BGREWRITEAOF'))
        break
    }
  }

  const setMemoryMax = async (bytes: string) => {
    await redis.config('SET', 'maxmemory', bytes)
  }

  return {
    async inject(each) {
      if (each.kind !== 'redis-command') onFault(each)
      await run(each)
    }
  }
}

/** A slow command, in the way of everybody else for so long. */
export async function keepBusy(redis: Redis, forMs: number): Promise<void> {
  await redis.call(
    'EVAL',
    `
    local function now_us() local time = redis.call('TIME') return time[1] * 1000000 + time[2] end
    local end_us = now_us() + ARGV[1] * 1000
    while now_us() < end_us do end`,
    0,
    forMs
  )
}
