// The load tool: Fortio (https://fortio.org, Istio's), as a library in test/bench/load/main.go, its version pinned by
// go.mod and go.sum and built by Go into .cache/bin.
//
// µs of CPU that the tool takes for a request at 5,000 and 10,000/s, measured against a uWS server answering 202 while
// two cores were busy:
//
//   Fortio, this program               26    16     14 at 20,000/s; exact rates, a fresh UUID in each body
//   Fortio's command, -stdclient       50    41     the only way in which its command gives each body a fresh UUID
//   autocannon 9                       52    46     each connection sends its share of a second at once, then pauses
//   k6 1.8                            120     -     8 % of 5,000/s were not sent, with 64 users
//
// Out of the question: vegeta (out of the Go module proxy's reach here), oha (takes each body at random from a file, so
// ids repeat), h2load, hey and bombardier (one body for all), wrk (closed loop), wrk2 (in no package source).
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CannotRunError, say } from '../support/command.ts'
import { runProgram, works } from '../support/program.ts'

const SOURCE_FOLDER = join(import.meta.dirname, 'load')
const BINARY_FOLDER = resolve(import.meta.dirname, '../../.cache/bin')

/** The load tool of exactly these sources, undefined before it is built. */
export function findLoad(): string | undefined {
  return existsSync(binaryPath()) ? binaryPath() : undefined
}

/** @throws CannotRunError when it can't be built; the signal's reason when aborted */
export async function ensureLoad(signal: AbortSignal): Promise<string> {
  const found = findLoad()
  if (found !== undefined) return found
  if (!(await works(runProgram(['go', 'version'])))) {
    throw new CannotRunError(
      'the load tool is built with Go (1.25 or later), and there is none in PATH: https://go.dev/doc/install'
    )
  }
  say('set-up: building the load tool with Go, once; takes about a minute …')
  mkdirSync(BINARY_FOLDER, { recursive: true })
  try {
    await runProgram(['go', 'build', '-C', SOURCE_FOLDER, '-trimpath', '-o', binaryPath(), '.'], { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw new CannotRunError((error as Error).message, { cause: error })
  }
  return binaryPath()
}

function binaryPath(): string {
  const hash = createHash('sha256')
  for (const name of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(SOURCE_FOLDER, name)))
  return join(BINARY_FOLDER, `bench-load-${hash.digest('hex').slice(0, 12)}`)
}
