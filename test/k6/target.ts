import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeExit } from '../../compose/local/part.ts'
import { startStack } from '../../compose/local/stack.ts'
import { readBackend, readProcessors, type ProcessorUrls } from './books.ts'

/** The system that a run is about. */
export type Target = {
  backendUrl: string
  processorUrls: ProcessorUrls
  token: string
  /** Rejects when a part of a system that was started here ends by itself; else stays pending. */
  broken: Promise<never>
  /** Takes down what was started here. */
  stop: () => Promise<void>
}

/** The system under test can't be reached or started; the message says what to do. */
export class NoTargetError extends Error {
  override name = 'NoTargetError'
}

/**
 * The running system that the environment names or that answers on localhost, else one that is started here.
 * @throws NoTargetError; the signal's reason when aborted
 */
export async function openTarget(environment: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Target> {
  const given = environment.BACKEND_URL
  const backendUrl = (given ?? 'http://localhost:9999').replace(/\/$/, '')
  const token = environment.TOKEN ?? '123'
  const processorUrls = {
    default: environment.DEFAULT_PROCESSOR_URL ?? 'http://localhost:8001',
    fallback: environment.FALLBACK_PROCESSOR_URL ?? 'http://localhost:8002'
  }
  try {
    await readBackend(backendUrl)
  } catch (error) {
    if (given !== undefined) throw new NoTargetError(`BACKEND_URL: ${(error as Error).message}`, { cause: error })
    return await startTarget(token, signal)
  }
  try {
    await readProcessors(processorUrls, token)
  } catch (error) {
    const { message } = error as Error
    const problem = `A backend answers at ${backendUrl}, but one of its processors does not: ${message}`
    const advice = 'Name them with DEFAULT_PROCESSOR_URL and FALLBACK_PROCESSOR_URL (and TOKEN), or stop that backend.'
    throw new NoTargetError(`${problem}\n${advice}`, { cause: error })
  }
  console.error(`Running against ${backendUrl}`)
  const { promise: broken } = Promise.withResolvers<never>()
  return { backendUrl, processorUrls, token, broken, stop: () => Promise.resolve() }
}

async function startTarget(token: string, signal: AbortSignal): Promise<Target> {
  if (token !== '123') throw new NoTargetError('TOKEN is for a system that runs already; name it with BACKEND_URL')
  const directory = mkdtempSync(join(tmpdir(), 'contest-'))
  console.error(`Starting the whole system; its logs are in ${directory}/logs while it runs`)
  let stack: Awaited<ReturnType<typeof startStack>>
  try {
    stack = await startStack({ directory, environment: { gateway: { PURGE: 'open' } }, signal })
  } catch (error) {
    if (signal.aborted) rmSync(directory, { recursive: true })
    throw error
  }
  let hasCrashed = false
  const broken = stack.crashed.then((exit): never => {
    hasCrashed = true
    throw new Error(`${exit.part} ended by itself (${describeExit(exit)}); the logs stay in ${directory}/logs`)
  })
  return {
    backendUrl: stack.url,
    processorUrls: stack.processorUrls,
    token,
    broken,
    async stop() {
      await stack.stop()
      if (!hasCrashed) rmSync(directory, { recursive: true })
    }
  }
}
