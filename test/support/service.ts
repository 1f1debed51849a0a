import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after } from 'node:test'
import { eventually, PATIENCE_MS } from './eventually.ts'

export type LogLine = Record<string, unknown> & { level: number; msg: string }

export type Exit = { code: number | null; signal: NodeJS.Signals | null }

export type ServiceProcess = {
  pid: number
  /** Everything written to stdout and stderr so far. */
  output: { stdout: string; stderr: string }
  /** The whole lines of stdout, parsed; throws on one that is no JSON. */
  log: () => LogLine[]
  /** Returns once a line with this message is in the log. */
  untilLogged: (msg: string) => Promise<LogLine>
  kill: (signal: NodeJS.Signals) => void
  /** Resolves when the process is gone and its output is complete. */
  exited: Promise<Exit>
}

const REPOSITORY = join(import.meta.dirname, '..', '..')

/**
 * Starts one service as a process of its own, with nothing in its environment but what is given; ends with the test.
 *
 * @param repository where its code lies, if not here
 */
export function startService(
  name: 'gateway' | 'processor-worker' | 'health-monitor',
  environment: Record<string, string>,
  args: readonly string[] = [],
  repository = REPOSITORY
): ServiceProcess {
  const child = spawn(process.execPath, [join(repository, name, 'main.ts'), ...args], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${name} was not started`)
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text
  })
  const closed = once(child, 'close') as Promise<[Exit['code'], Exit['signal']]>
  const exited = closed.then(([code, signal]) => ({ code, signal }))
  const kill = (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) process.kill(pid, signal)
  }
  after(async () => {
    kill('SIGKILL')
    await exited
  })

  const log = () =>
    output.stdout
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line) as LogLine)
  return {
    pid,
    output,
    log,
    untilLogged: msg =>
      eventually(`${name} logs "${msg}"; it wrote ${output.stderr}`, PATIENCE_MS, () =>
        log().find(line => line.msg === msg)
      ),
    kill,
    exited
  }
}
