import { once } from 'node:events'
import { join } from 'node:path'
import { startProgram } from '../program.ts'
import { ProcessorAdmin } from './admin-client.ts'

export type RunningProcessor = {
  url: string
  port: number
  pid: number
  admin: ProcessorAdmin
  /** What its first line said. */
  ready: Record<string, unknown>
  /** Ends it with this signal and returns when it is gone: its exit code, null after SIGKILL. */
  end: (signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL') => Promise<number | null>
}

/**
 * Starts a processor model on a free port, as a process of its own that ends with the test.
 * @param environment of main.ts, e.g. `{ FEE: '0.15', RUNNING_MAX: '2' }`
 * @throws with what it wrote to stderr, when it does not start
 */
export async function startProcessor(
  test: { after: (release: () => Promise<unknown>) => void },
  environment: Record<string, string> = {}
): Promise<RunningProcessor> {
  const { child, pid, output, kill, exited } = startProgram([process.execPath, join(import.meta.dirname, 'main.ts')], {
    env: { PATH: process.env.PATH, LISTEN: '127.0.0.1:0', ...environment }
  })
  const end: RunningProcessor['end'] = async signal => {
    kill(signal)
    return (await exited).code
  }
  test.after(() => end('SIGKILL'))
  // Its first line comes in one piece.
  await Promise.race([once(child.stdout, 'data'), exited])
  if (output.stdout === '') throw new Error(output.stderr)
  const ready = JSON.parse(output.stdout) as { port: number }
  const url = `http://127.0.0.1:${ready.port}`
  return { url, port: ready.port, pid, admin: new ProcessorAdmin(url, environment.TOKEN), ready, end }
}
