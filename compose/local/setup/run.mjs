// Running the installers: their output stays out of the way unless they fail.
import { spawnSync } from 'node:child_process'

/** Something is missing and cannot be installed; the message says what and how to get it. */
export class SetupError extends Error {}

/**
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {{ ok: boolean, output: string }} output: what it wrote to stdout and stderr
 */
export function run(command, words, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, words, {
    // No stdin: an installer that has a question must fail instead of waiting for an answer.
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024
  })
  return { ok: status === 0, output: `${stdout ?? ''}${stderr ?? ''}${error ? error.message : ''}` }
}

/** Prints what is done and, after it, how long it took. */
export function announced(what, action) {
  const startMs = Date.now()
  console.error(`set-up: ${what}`)
  const result = action()
  console.error(`set-up: ${result.ok ? 'done' : 'failed'} after ${((Date.now() - startMs) / 1000).toFixed(1)} s`)
  return result
}

/** Trouble that is likely to be over in a moment: the network, or another package manager at work. */
const passingTrouble = new RegExp(
  [
    'EAI_AGAIN',
    'ECONNRE(SET|FUSED)',
    'ETIMEDOUT',
    'ENOTFOUND',
    'ENETUNREACH',
    'ERR_SOCKET_TIMEOUT',
    'socket hang up',
    'network',
    '\\b(429|50[0234])\\b',
    'Temporary failure',
    'Could not (resolve|connect)',
    'Connection (failed|timed out)',
    'Failed to fetch',
    'Hash Sum mismatch',
    'Unable to fetch',
    'Unable to locate package',
    'Could not get lock',
    'Unable to acquire'
  ].join('|'),
  'i'
)

/** Repeats an action that fails by passing trouble, up to four times within about half a minute. */
export function retried(action) {
  let result = action()
  for (const pauseMs of [2_000, 8_000, 20_000]) {
    if (result.ok || !passingTrouble.test(result.output)) return result
    console.error(`set-up: ${passingTrouble.exec(result.output)[0]}; trying again in ${pauseMs / 1000} s`)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs)
    result = action()
  }
  return result
}

/** The end of an installer's output, for an error message. */
export function lastLines(output, lineCount = 25) {
  return output
    .trimEnd()
    .split('\n')
    .slice(-lineCount)
    .map(line => `  ${line}`)
    .join('\n')
}
