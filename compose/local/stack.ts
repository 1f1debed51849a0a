// The whole system as real processes on this machine: what `npm start` runs, what the tests break, and what the
// benchmarks measure. Redis first, then whoever needs it, HAProxy last, so that the first request finds all of it.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Part, type Exit, type PartPlan } from './part.ts'
import { findFreePort } from './ports.ts'
import { isListening } from './readiness.ts'
import type { StackLayout, StackOptions } from './stack-options.ts'
import { planStack, redisPathOf } from './stack-plans.ts'

export type Crash = Exit & { part: string }

export type Stack = {
  /** HAProxy's, e.g. http://127.0.0.1:9999 */
  url: string
  /** Redis's unix socket. */
  redisPath: string
  processorUrls: { default: string; fallback: string }
  /** In order of start: redis, processor-default, processor-fallback, gateway-1…, worker-1…, monitor-1…, haproxy. */
  parts: ReadonlyMap<string, Part>
  /** One of `parts`; throws when there is none of this name. */
  part: (name: string) => Part
  /** Resolves when a part ends that nobody stopped or killed through its Part. Stays pending otherwise. */
  crashed: Promise<Crash>
  /**
   * Stops HAProxy, then the services together, then Redis and the models; kills what takes longer than the grace, 8 s
   * if missing. Tells how each part ended.
   */
  stop: (graceMs?: number) => Promise<Map<string, Exit>>
  /** SIGKILL to every part at once. */
  kill: () => Promise<void>
}

/** Returns when every part serves. Throws, with nothing left running, when one of them does not come up. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const layout = await chooseLayout(options)
  const { directory, processorUrls } = layout
  const redisPath = redisPathOf(directory)
  const groups = planStack(layout)
  for (const folder of ['redis', 'logs']) mkdirSync(join(directory, folder), { recursive: true })
  // Two Redis processes on one append-only log would destroy it.
  if (await isListening(redisPath)) throw new Error(`a Redis is running on ${directory} already: stop it first`)

  const { promise: crashed, resolve: crash } = Promise.withResolvers<Crash>()
  let isStopping = false
  const parts = createParts(groups.flat(), (part, exit) => {
    if (!isStopping) crash({ part, ...exit })
  })
  const stack: Stack = {
    url: `http://127.0.0.1:${layout.port}`,
    redisPath,
    processorUrls,
    parts,
    crashed,
    part: name => {
      const part = parts.get(name)
      if (part === undefined) throw new Error(`no part ${name}; there are ${[...parts.keys()].join(', ')}`)
      return part
    },
    stop: async graceMs => {
      isStopping = true
      const exits = new Map<string, Exit>()
      for (const group of [...groups].reverse()) {
        await Promise.all(group.map(async ({ name }) => exits.set(name, await stack.part(name).stop(graceMs))))
      }
      return exits
    },
    kill: async () => {
      isStopping = true
      for (const part of parts.values()) part.kill('SIGKILL')
      await Promise.all([...parts.values()].map(part => part.exited))
    }
  }

  try {
    for (const group of groups) {
      await untilAborted(
        options.signal,
        Promise.all(
          group.map(async ({ name }) => {
            await stack.part(name).start()
            options.onReady?.(name)
          })
        )
      )
    }
  } catch (error) {
    await stack.stop()
    throw error
  }
  return stack
}

async function chooseLayout(options: StackOptions): Promise<StackLayout> {
  const modelPorts =
    options.processors !== undefined
      ? undefined
      : (options.processorPorts ?? { default: await findFreePort(), fallback: await findFreePort() })
  return {
    gateways: 2,
    workers: 1,
    monitors: 1,
    metricsPorts: {},
    ...options,
    directory: resolve(options.directory),
    port: options.port === undefined || options.port === 0 ? await findFreePort() : options.port,
    modelPorts,
    processorUrls: options.processors ?? {
      default: `http://127.0.0.1:${modelPorts?.default}`,
      fallback: `http://127.0.0.1:${modelPorts?.fallback}`
    }
  }
}

function createParts(plans: PartPlan[], onCrash: (part: string, exit: Exit) => void): Map<string, Part> {
  return new Map(
    plans.map(plan => {
      // Emptied here, then only appended to, so that a log tells one run of the stack with all restarts of its parts.
      writeFileSync(plan.logPath, '')
      const part = new Part(plan)
      part.onCrash = exit => onCrash(plan.name, exit)
      return [plan.name, part]
    })
  )
}

async function untilAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return await work
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason as Error)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
