import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CannotRunError, say, shown } from '../command.ts'
import { runProgram } from '../program.ts'

/** What is built when there is no k6. */
export const K6_VERSION = 'v1.8.1'
// contest.js imports .ts files, which k6 learned for good in 1.0.
const K6_MAJOR_MIN = 1
// From 1.21 on, Go fetches by itself the newer Go that K6_VERSION asks for.
const GO_MINOR_MIN = 21

const CACHE_FOLDER = resolve(import.meta.dirname, '../../../.cache/bin')
const PROGRESS_EVERY_MS = 5_000

/** The command of a k6 that is recent enough, from PATH or from an earlier build in `directory`. */
export function findK6(directory = CACHE_FOLDER): string | undefined {
  return ['k6', join(directory, 'k6')].find(command => {
    const { status, stdout } = spawnSync(command, ['version'], { encoding: 'utf8' })
    return status === 0 && Number(/^k6(?:\.exe)? v(\d+)\./.exec(stdout)?.[1]) >= K6_MAJOR_MIN
  })
}

/**
 * Finds k6 or builds it with Go into `directory`, telling about it on stderr.
 * @throws CannotRunError that says how to get one, when that is not possible; the signal's reason when aborted
 */
export async function ensureK6(signal: AbortSignal, directory = CACHE_FOLDER): Promise<string> {
  const found = findK6(directory)
  if (found !== undefined) return found
  const go = goProblem()
  if (go !== undefined) throw new CannotRunError(explain(go))

  say(`set-up: building k6 ${K6_VERSION} with Go, once, into ${shown(directory)}; takes 1 to 5 minutes …`)
  mkdirSync(directory, { recursive: true })
  const problem = await build(directory, signal)
  signal.throwIfAborted()
  const built = findK6(directory)
  if (built === undefined) throw new CannotRunError(explain(problem ?? 'what go install built is no k6'))
  return built
}

function goProblem(): string | undefined {
  const { status, stdout } = spawnSync('go', ['version'], { encoding: 'utf8' })
  if (status !== 0) return 'there is no Go to build it with'
  const [, major, minor] = (/go(\d+)\.(\d+)/.exec(stdout) ?? []).map(Number)
  if (Number(major) > 1 || Number(minor) >= GO_MINOR_MIN) return undefined
  return `Go is too old to build it (${stdout.trim()}; 1.${GO_MINOR_MIN} or later)`
}

/** What went wrong, or undefined. */
async function build(directory: string, signal: AbortSignal): Promise<string | undefined> {
  const startMs = performance.now()
  // With -v go says what it downloads and which package it compiles, some 1,000 lines in all.
  const lines: string[] = []
  const seconds = () => ((performance.now() - startMs) / 1000).toFixed(0)
  const ticker = setInterval(() => {
    const downloads = lines.filter(line => line.startsWith('go: downloading')).length
    say(`set-up: ${seconds()} s, ${downloads} modules downloaded, ${lines.length - downloads} packages compiled`)
  }, PROGRESS_EVERY_MS)
  try {
    await runProgram(['go', 'install', '-v', `go.k6.io/k6@${K6_VERSION}`], {
      environment: { GOBIN: directory },
      signal,
      onErrorLine: line => lines.push(line)
    })
    say(`set-up: done after ${seconds()} s`)
    return undefined
  } catch {
    const last = lines.slice(-15).map(line => `  ${line}`)
    return `go install failed:\n${last.join('\n')}`
  } finally {
    clearInterval(ticker)
  }
}

function explain(obstacle: string): string {
  return `k6 ${K6_MAJOR_MIN}.0 or later is needed. It is neither in PATH nor in .cache/bin, and ${obstacle}

Get it in one of these ways, then run the same command again:
  any system      https://github.com/grafana/k6/releases, then put k6 into PATH or ${shown(CACHE_FOLDER)}/
  macOS           brew install k6
  Fedora, Debian  their own package sources: https://grafana.com/docs/k6/latest/set-up/install-k6/
  with Go 1.${GO_MINOR_MIN}+   GOBIN=${CACHE_FOLDER} go install go.k6.io/k6@${K6_VERSION}`
}
