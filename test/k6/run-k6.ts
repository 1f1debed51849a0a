import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { Result } from './score.ts'
import type { Target } from './target.ts'

// Longer than a payment's own timeout in contest.js.
const stopMaxMs = 15_000

/**
 * Runs contest.js against the target and returns its result; its progress goes to stderr.
 * @throws Error when k6 fails; the signal's reason when aborted, after k6 has put the processors right again
 */
export async function runK6(
  k6: string,
  schedulePath: string,
  target: Pick<Target, 'backendUrl' | 'processorUrls' | 'token'>,
  signal: AbortSignal
): Promise<Result> {
  const child = spawn(
    k6,
    ['run', '--quiet', '--no-usage-report', '--address=', '--log-format=raw', join(import.meta.dirname, 'contest.js')],
    {
      env: {
        ...process.env,
        BACKEND_URL: target.backendUrl,
        DEFAULT_PROCESSOR_URL: target.processorUrls.default,
        FALLBACK_PROCESSOR_URL: target.processorUrls.fallback,
        TOKEN: target.token,
        SCHEDULE: schedulePath,
        RESULT: 'json'
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      // In a process group of its own, so that Ctrl-C in the terminal does not reach it twice: k6 takes a second one as
      // "leave at once" and would not put the processors right.
      detached: true
    }
  )
  // k6 says this for each single failed request; how many there were is part of the result.
  const noise = 'Request Failed'
  createInterface(child.stderr).on('line', line => {
    if (line !== noise) console.error(line)
  })

  let killTimer: NodeJS.Timeout | undefined
  const stop = () => {
    child.kill('SIGINT')
    killTimer = setTimeout(() => {
      child.kill('SIGKILL')
    }, stopMaxMs)
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  try {
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number | null]>])
    signal.throwIfAborted()
    const line = output.split('\n').find(candidate => candidate.startsWith('{'))
    if (code !== 0 || line === undefined) {
      throw new Error(`k6 ended with ${code ?? 'a signal'} and without a result\n${output}`.trim())
    }
    return JSON.parse(line) as Result
  } finally {
    clearTimeout(killTimer)
    signal.removeEventListener('abort', stop)
  }
}
