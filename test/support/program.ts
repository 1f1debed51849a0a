// Programs that are run by hand: their output, their end.
import { spawn, type ChildProcessByStdio, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

export type Exit = { code: number | null; signal: NodeJS.Signals | null }

export type Program = {
  child: ChildProcessByStdio<null, Readable, Readable>
  pid: number
  /** Everything written so far. */
  output: { stdout: string; stderr: string }
  /** Nothing if it has ended. */
  kill: (signal: NodeJS.Signals) => void
  /** Resolves when it is gone and its output is complete; rejects when there is no such program. */
  exited: Promise<Exit>
}

export function startProgram([file = '', ...words]: readonly string[], options: SpawnOptions = {}): Program {
  const child = spawn(file, words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  const closed = once(child, 'close') as Promise<[Exit['code'], Exit['signal']]>
  const exited = closed.then(([code, signal]) => ({ code, signal }))
  // Whoever stops early does not wait for it.
  exited.catch(() => undefined)
  return {
    child,
    pid: child.pid ?? NaN,
    output,
    kill(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    },
    exited
  }
}

export type ProgramOptions = {
  environment?: Record<string, string>
  signal?: AbortSignal
  /** What asks it to end when the signal aborts; SIGTERM if missing. */
  stopSignal?: NodeJS.Signals
  /** Told of each line that it writes to stderr. */
  onErrorLine?: (line: string) => void
}

/** For a program that was asked to end, also for k6 with payments under way. */
const STOP_MAX_MS = 15_000

/**
 * Runs a program to its end and returns its stdout.
 * @throws Error with the end of its output, when it fails; the signal's reason, when aborted, after it has ended
 */
export async function runProgram(words: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const { environment, signal, stopSignal = 'SIGTERM', onErrorLine } = options
  signal?.throwIfAborted()
  // In a group of its own: Ctrl-C in the terminal is for us, who then stop it once, or clean up with more programs.
  const { child, output, kill, exited } = startProgram(words, {
    env: { ...process.env, ...environment },
    detached: true
  })
  if (onErrorLine !== undefined) createInterface(child.stderr).on('line', onErrorLine)
  let killTimer: NodeJS.Timeout | undefined
  const stop = () => {
    kill(stopSignal)
    killTimer = setTimeout(kill, STOP_MAX_MS, 'SIGKILL')
  }
  signal?.addEventListener('abort', stop, { once: true })
  try {
    const { code } = await exited
    signal?.throwIfAborted()
    if (code === 0) return output.stdout
    const text = `${output.stdout}${output.stderr}`.slice(-20_000).trim()
    throw new Error(`${words.join(' ')} ended with ${code ?? 'a signal'}:\n${text}`)
  } finally {
    clearTimeout(killTimer)
    signal?.removeEventListener('abort', stop)
  }
}

/** Whether it succeeds. */
export async function works(program: Promise<unknown>): Promise<boolean> {
  return await program.then(
    () => true,
    () => false
  )
}
