import { join } from 'node:path'
import { after } from 'node:test'
import { eventually } from './eventually.ts'
import { startProgram, type Program } from './program.ts'

export type LogLine = Record<string, unknown> & { level: number; msg: string }

export type ServiceProcess = Program & {
  /** The whole lines of stdout, parsed; throws on one that is no JSON. */
  log: () => LogLine[]
  /** Returns once a line with this message is in the log. */
  untilLogged: (msg: string) => Promise<LogLine>
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
  const program = startProgram([process.execPath, join(repository, name, 'main.ts'), ...args], {
    env: { PATH: process.env.PATH, ...environment }
  })
  const { output, kill, exited } = program
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
    ...program,
    log,
    untilLogged: msg =>
      eventually(`${name} logs "${msg}"; it wrote ${output.stderr}`, () => log().find(line => line.msg === msg))
  }
}
