import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'

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
