// Results of measurements: one line of JSON a run in .results/, each with what it was measured on.
import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname, resolve } from 'node:path'

/** What a measurement was made on: every result carries it. */
export function provenance(): { commit: string; machine: string } {
  return { commit: commit(), machine: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}` }
}

/** With "+" when files differ from it. */
function commit(): string {
  try {
    const git = (...words: string[]) =>
      execFileSync('git', words, {
        cwd: import.meta.dirname,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore']
      }).trim()
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+')
  } catch {
    return 'unknown'
  }
}

export function resultsPath(name: string): string {
  return resolve(import.meta.dirname, `../../.results/${name}`)
}

/** Adds a line to a file in .results/. */
export function saveLine(name: string, line: string): void {
  const path = resultsPath(name)
  mkdirSync(dirname(path), { recursive: true })
  appendFileSync(path, `${line}\n`)
}
