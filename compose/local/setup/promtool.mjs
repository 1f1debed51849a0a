// promtool, which checks metrics, rules and configuration of Prometheus: the one in PATH, or the one of Debian's package
// prometheus, unpacked into .cache/bin. The package is not installed, because that would start a Prometheus.
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { findExecutable, findInstaller } from './apt.mjs'
import { SetupError, announced, lastLines, retried, run } from './run.mjs'

/** Throws SetupError, with what to install, when it is missing and cannot be fetched from here. */
export function ensurePromtool(repository) {
  const folder = join(repository, '.cache/bin')
  const path = join(folder, 'promtool')
  if (findExecutable('promtool') || run(path, ['--version']).ok) return
  const missing = ['apt-get', 'dpkg-deb'].filter(name => findExecutable(name) === undefined)
  if (missing.length > 0) throw new SetupError(explain(`there is no ${missing.join(' and no ')} on this system`))

  mkdirSync(folder, { recursive: true })
  // Beside its place, so that the last step is a rename: whoever looks finds all of it or nothing.
  const work = mkdtempSync(join(folder, 'prometheus-'))
  try {
    const { ok, output } = announced('fetching promtool (in Debian\'s package prometheus, 19 MB) into .cache/bin …', () => fetchInto(work))
    if (!ok) throw new SetupError(explain(lastLines(output)))
    renameSync(join(work, 'usr/bin/promtool'), path)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  const { ok, output } = run(path, ['--version'])
  if (!ok) throw new SetupError(explain(`it was fetched, but does not run:\n${lastLines(output)}`))
}

/** Downloading and unpacking want no rights; only lists of packages that are missing or old do. */
function fetchInto(work) {
  const download = () => run('apt-get', ['download', '-q', '-o', 'Acquire::Retries=3', 'prometheus'], { cwd: work })
  let downloaded = download()
  if (!downloaded.ok) {
    const { how, whyNot } = findInstaller()
    if (whyNot) return { ok: false, output: `apt-get does not find it, and its lists of packages can not be updated: ${whyNot}\n${downloaded.output}` }
    const [command, ...words] = [...how, 'apt-get', 'update', '-q']
    downloaded = retried(() => {
      // A failed update may be about a repository that has nothing to do with us.
      const updated = run(command, words)
      const { ok, output } = download()
      return { ok, output: ok ? output : `${updated.output}${output}` }
    })
  }
  const [archive] = readdirSync(work)
  return downloaded.ok && archive ? run('dpkg-deb', ['-x', archive, '.'], { cwd: work }) : { ok: false, output: downloaded.output }
}

function explain(obstacle) {
  return `The tests need promtool, which is neither in PATH nor in .cache/bin. It could not be fetched from here:
${obstacle}

Please put it into PATH, then run the same command again:
  Debian 12+, Ubuntu 24.04+   apt-get download prometheus && dpkg-deb -x prometheus_*.deb . (then usr/bin/promtool)
  macOS                       brew install prometheus
  elsewhere                   https://prometheus.io/download/`
}
