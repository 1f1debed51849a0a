import { spawn } from 'node:child_process'

export type ProgramOptions = { environment?: Record<string, string>; signal?: AbortSignal }

/**
 * Runs a program to its end and returns its stdout.
 * @throws Error with the end of its output, when it fails; the signal's reason, when aborted, after it has ended
 */
export async function runProgram(
  [name = '', ...words]: readonly string[],
  { environment, signal }: ProgramOptions = {}
): Promise<string> {
  signal?.throwIfAborted()
  const child = spawn(name, words, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    // In a group of its own: Ctrl-C in the terminal is for us, who then clean up with more programs.
    detached: true
  })
  const stop = () => {
    child.kill('SIGTERM')
  }
  signal?.addEventListener('abort', stop, { once: true })
  let stdout = ''
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-20_000)
    })
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve)
    })
    signal?.throwIfAborted()
    if (code !== 0) throw new Error(`${[name, ...words].join(' ')} ended with ${code ?? 'a signal'}:\n${output.trim()}`)
    return stdout
  } finally {
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
