import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
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
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: { PATH: process.env.PATH, LISTEN: '127.0.0.1:0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const end: RunningProcessor['end'] = async signal => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    const [code] = await exited
    return code
  }
  test.after(() => end('SIGKILL'))

  let problem = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    problem += text
  })
  const lines = createInterface(child.stdout)
  const firstLine = once(lines, 'line') as Promise<[string]>
  // 'close' comes after the last of stderr, 'exit' may not.
  const [line] = await Promise.race([firstLine, once(child, 'close').then(() => [undefined])])
  if (line === undefined) throw new Error(problem)
  const ready = JSON.parse(line) as { port: number }
  const url = `http://127.0.0.1:${ready.port}`
  if (child.pid === undefined) throw new Error('no pid')
  return { url, port: ready.port, pid: child.pid, admin: new ProcessorAdmin(url, environment.TOKEN), ready, end }
}
