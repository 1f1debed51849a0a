// One `npm start` per data directory: two of them would fight over sockets and Redis's files.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'

/**
 * Takes the lock, a file that names its owner; a file whose owner is gone (SIGKILL, power cut) counts for nothing.
 * Returns the function that gives it back. Throws when another process has it.
 */
export function lockInstance(path: string): () => void {
  const mine = `${process.pid} ${processStart(process.pid)}`
  for (;;) {
    try {
      writeFileSync(path, mine, { flag: 'wx' })
      return () => {
        rmSync(path, { force: true })
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const [pid = '', start] = readFileSync(path, 'utf8').split(' ')
    if (isAlive(Number(pid)) && processStart(Number(pid)) === start) {
      throw new Error(
        `npm start runs on this data directory already, as process ${pid}: ` +
          'stop it, or set DATA_DIRECTORY (and PORT) to something else'
      )
    }
    rmSync(path, { force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives, under another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Clock ticks from boot to the start of a process, which tells it from a later one with the same pid; Linux only. */
function processStart(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}
