import { spawn } from 'node:child_process'

export type CommandOptions = {
  environment?: Record<string, string>
  /** Written to its stdin. */
  input?: string | NodeJS.ReadableStream
  /** Where its output goes while it runs, besides being returned. */
  onOutput?: (text: string) => void
  signal?: AbortSignal
}

/**
 * Runs a command to its end and returns its stdout.
 * @throws Error with the end of its output, when it fails; the signal's reason, when aborted, after it has ended
 */
export async function command(words: readonly string[], options: CommandOptions = {}): Promise<string> {
  options.signal?.throwIfAborted()
  const [name = '', ...rest] = words
  const child = spawn(name, rest, {
    env: { ...process.env, ...options.environment },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    // In a group of its own: Ctrl-C in the terminal is for us, who then clean up with more commands.
    detached: true
  })
  const stop = () => {
    child.kill('SIGTERM')
  }
  options.signal?.addEventListener('abort', stop, { once: true })
  let stdout = ''
  let output = ''
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      output = (output + chunk).slice(-20_000)
      options.onOutput?.(chunk)
    })
  }
  if (typeof options.input === 'string') child.stdin?.end(options.input)
  else if (options.input !== undefined && child.stdin) options.input.pipe(child.stdin)
  // A command that ends early is told by its exit code.
  child.stdin?.on('error', () => undefined)
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    options.signal?.throwIfAborted()
    if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code ?? 'a signal'}:\n${output.trim()}`)
    return stdout
  } finally {
    options.signal?.removeEventListener('abort', stop)
  }
}

export async function succeeds(words: readonly string[], options: CommandOptions = {}): Promise<boolean> {
  return await command(words, options).then(
    () => true,
    () => false
  )
}
