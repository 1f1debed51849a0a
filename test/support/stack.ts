import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import type { StackOptions } from '../../compose/local/stack-options.ts'
import { startStack, type Stack } from '../../compose/local/stack.ts'
import { createKeys, type Keys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import type { ProcessorName } from '../../shared/payment.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { createOwner, type Own } from './owner.ts'
import { ProcessorAdmin } from './processor/admin-client.ts'

/** The whole pipeline as real processes on free ports, and what looks into it. */
export type TestStack = {
  directory: string
  stack: Stack
  keys: Keys
  /** Looks into Redis as nobody of the pipeline does. */
  redis: Redis
  /** The models; no use where `processors` was given. */
  admins: Record<ProcessorName, ProcessorAdmin>
  /** SIGKILL; returns when the part is gone. */
  kill: (partName: string) => Promise<void>
}

export type TestStackOptions = Omit<StackOptions, 'directory'> & {
  /** Sockets, logs and data; if missing, a temporary one that goes with the stack. */
  directory?: string
  /** Keeps the temporary one, for its logs, when a part does not come up or ends by itself. */
  keepsLogs?: boolean
}

/** No call of a test or a benchmark takes so long. */
const REPLY_TIMEOUT_MS = 30_000

/** @param name begins the name of the temporary directory */
export async function startTestStack(own: Own, name: string, options: TestStackOptions = {}): Promise<TestStack> {
  const { directory: given, keepsLogs = false, ...rest } = options
  let isBroken = true
  const directory =
    given ??
    own(await mkdtemp(join(tmpdir(), `${name}-`)), async made => {
      const isWanted = keepsLogs && isBroken && options.signal?.aborted !== true
      if (!isWanted) await rm(made, { recursive: true, force: true })
    })
  const stack = own(await startStack({ ...rest, directory }), running => running.kill())
  isBroken = false
  void stack.crashed.then(() => {
    isBroken = true
  })
  const redis = own(
    await connectRedis(`unix:${stack.redisPath}`, 'test', REPLY_TIMEOUT_MS, createLog('test', 'silent')),
    client => client.disconnect()
  )
  const { default: ofDefault, fallback: ofFallback } = stack.processorUrls
  return {
    directory,
    stack,
    keys: createKeys(),
    redis,
    admins: { default: new ProcessorAdmin(ofDefault), fallback: new ProcessorAdmin(ofFallback) },
    async kill(partName) {
      const part = stack.part(partName)
      part.kill('SIGKILL')
      await part.exited
    }
  }
}

/** For a command: ends by `stop`. */
export async function startCommandStack(
  name: string,
  options: TestStackOptions
): Promise<TestStack & { stop: () => Promise<void> }> {
  const { own, release } = createOwner()
  try {
    return { ...(await startTestStack(own, name, { ...options, keepsLogs: true })), stop: release }
  } catch (error) {
    await release()
    throw error
  }
}
