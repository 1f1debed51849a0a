import { describeExit } from '../../compose/local/part.ts'
import { readBackend, readProcessors } from '../support/books.ts'
import { CannotRunError, say } from '../support/command.ts'
import type { System } from '../support/contest/run.ts'
import { startCommandStack } from '../support/stack.ts'

/** The system that a run is about, running. */
export type Target = System & {
  /** Rejects when a part of a system that was started here ends by itself; else stays pending. */
  broken: Promise<never>
  /** Takes down what was started here. */
  stop: () => Promise<void>
}

/**
 * The running system that the environment names or that answers on localhost, else one that is started here.
 * @throws CannotRunError that says what to do; the signal's reason when aborted
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
    if (given !== undefined) throw new CannotRunError(`BACKEND_URL: ${(error as Error).message}`, { cause: error })
    return await startTarget(token, signal)
  }
  try {
    await readProcessors(processorUrls, token)
  } catch (error) {
    const { message } = error as Error
    const problem = `A backend answers at ${backendUrl}, but one of its processors does not: ${message}`
    const advice = 'Name them with DEFAULT_PROCESSOR_URL and FALLBACK_PROCESSOR_URL (and TOKEN), or stop that backend.'
    throw new CannotRunError(`${problem}\n${advice}`, { cause: error })
  }
  say(`Running against ${backendUrl}`)
  const { promise: broken } = Promise.withResolvers<never>()
  return { backendUrl, processorUrls, token, broken, stop: () => Promise.resolve() }
}

async function startTarget(token: string, signal: AbortSignal): Promise<Target> {
  if (token !== '123') throw new CannotRunError('TOKEN is for a system that runs already; name it with BACKEND_URL')
  say('Starting the whole system')
  const environment = { gateway: { PURGE: 'open' } }
  const { stack, directory, stop } = await startCommandStack('contest', { environment, signal })
  say(`Its logs are in ${directory}/logs while it runs`)
  const broken = stack.crashed.then((exit): never => {
    throw new Error(`${exit.part} ended by itself (${describeExit(exit)}); the logs stay in ${directory}/logs`)
  })
  return { backendUrl: stack.url, processorUrls: stack.processorUrls, token, broken, stop }
}
