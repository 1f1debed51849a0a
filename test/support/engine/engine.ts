// The container engine that compose runs need: the one that runs already, or one of our own for as long as it is
// needed.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CannotRunError } from '../command.ts'
import { runProgram, works, type ProgramOptions } from '../program.ts'

export type Engine = {
  /** Runs `docker` with these words; see runProgram(). */
  docker: (words: readonly string[], options?: ProgramOptions) => Promise<string>
  /** Runs `docker compose`, or docker-compose where that is what there is. */
  compose: (words: readonly string[], options?: ProgramOptions) => Promise<string>
  /** What a process of its own needs in its environment to use this engine as well. */
  environment: Record<string, string>
  /** What runs, for a report, e.g. "Docker 20.10.24, docker-compose 1.29.2". */
  description: string
  /** Ends the engine if it is ours. */
  close: () => Promise<void>
}

const READY_WITHIN_MS = 60_000
const STOP_WITHIN_MS = 30_000
/** Images and layers of our own engine; kept, so that the next run finds them. */
const DATA_FOLDER = resolve(import.meta.dirname, '../../../.cache/engine')

/** @throws CannotRunError where no engine can run; the signal's reason when aborted */
export async function openEngine(signal?: AbortSignal): Promise<Engine> {
  if (await works(runProgram(['docker', 'info']))) return await describe({}, () => Promise.resolve())
  const started = await startEngine(signal)
  try {
    return await describe({ DOCKER_HOST: `unix://${started.socketPath}` }, started.stop)
  } catch (error) {
    await started.stop()
    throw error
  }
}

async function describe(environment: Record<string, string>, close: () => Promise<void>): Promise<Engine> {
  const docker: Engine['docker'] = (words, options) =>
    runProgram(['docker', ...words], { ...options, environment: { ...environment, ...options?.environment } })
  const composeWords = (await works(runProgram(['docker', 'compose', 'version'])))
    ? ['docker', 'compose']
    : ['docker-compose']
  const compose: Engine['compose'] = (words, options) =>
    runProgram([...composeWords, ...words], {
      ...options,
      // The classic builder, which every engine has; 1.29 would otherwise look for BuildKit.
      environment: { ...environment, ...options?.environment }
    })
  const engineVersion = (await docker(['version', '--format', '{{.Server.Version}}'])).trim()
  const composeVersion = (await compose(['version', '--short'])).trim()
  return {
    docker,
    compose,
    environment,
    description: `Docker ${engineVersion}, ${composeWords.join(' ')} ${composeVersion}`,
    close
  }
}

async function startEngine(signal?: AbortSignal): Promise<{ socketPath: string; stop: () => Promise<void> }> {
  if (process.getuid?.() !== 0)
    throw new CannotRunError('no container engine answers (docker info), and only root can start one')
  mkdirSync(DATA_FOLDER, { recursive: true })
  // In /tmp, because the path of a socket is short.
  const folder = mkdtempSync(join(tmpdir(), 'engine-'))
  const socketPath = join(folder, 'docker.sock')
  const logPath = join(folder, 'dockerd.log')
  const log = openSync(logPath, 'w')
  const child = spawn(
    'dockerd',
    [
      '--host',
      `unix://${socketPath}`,
      '--data-root',
      DATA_FOLDER,
      '--exec-root',
      join(folder, 'exec'),
      '--pidfile',
      join(folder, 'dockerd.pid'),
      ...mtuOption()
    ],
    { stdio: ['ignore', log, log], detached: true }
  )
  const hasExited = new Promise<void>(done => {
    child.once('exit', () => done())
    child.once('error', () => done())
  })
  const stop = async () => {
    await end(child, hasExited)
    rmSync(folder, { recursive: true, force: true })
  }

  const deadlineMs = performance.now() + READY_WITHIN_MS
  while (!(await works(runProgram(['docker', 'info'], { environment: { DOCKER_HOST: `unix://${socketPath}` } })))) {
    const isOver = child.exitCode !== null || child.pid === undefined
    if (!isOver && signal?.aborted !== true && performance.now() < deadlineMs) {
      await sleep(200)
      continue
    }
    const lines = readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-15).join('\n')
    await stop()
    signal?.throwIfAborted()
    throw new CannotRunError(
      `dockerd ${isOver ? 'ended at once' : `did not answer within ${READY_WITHIN_MS} ms`}:\n${lines}`
    )
  }
  return { socketPath, stop }
}

async function end(child: ChildProcess, hasExited: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
  await hasExited
  clearTimeout(timer)
}

/** Bridges get this machine's own MTU: with a larger one, large packets would get lost without a word. */
function mtuOption(): string[] {
  const [device] =
    readFileSync('/proc/net/route', 'utf8')
      .split('\n')
      .slice(1)
      .map(line => line.split('\t'))
      .find(([, destination]) => destination === '00000000') ?? []
  return device === undefined ? [] : ['--mtu', readFileSync(`/sys/class/net/${device}/mtu`, 'utf8').trim()]
}
