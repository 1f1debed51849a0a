// One `npm start` per data directory: two of them would fight over sockets, and two Redis on one log would destroy it.
import { spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'

/**
 * Locks a file, which names the owner, and returns the function that gives it back. The kernel keeps the lock for the
 * open file, so it ends with this process whatever ends that (SIGKILL, power cut). util-linux's flock asks for it, by
 * the descriptor that it inherits; where that is missing (macOS), only a Redis that listens already is noticed.
 * Throws when another process has it.
 */
export function lockInstance(path: string): () => void {
  const file = openSync(path, 'a+')
  if (spawnSync('flock', ['--nonblock', '3'], { stdio: ['ignore', 'ignore', 'ignore', file] }).status === 1) {
    closeSync(file)
    throw new Error(
      `npm start runs on this data directory already, as process ${readFileSync(path, 'utf8')}: ` +
        'stop it, or set DATA_DIRECTORY (and PORT) to something else'
    )
  }
  ftruncateSync(file)
  writeSync(file, String(process.pid))
  return () => closeSync(file)
}
