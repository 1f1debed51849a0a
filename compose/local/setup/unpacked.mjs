// What the tests need of Debian's packages without installing them: promtool, because its package would start a
// Prometheus, and libfaketime, which moves the clock of one process. In PATH or the system's own, or unpacked into
// .cache.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { FORBIDDEN, findExecutable, findInstaller } from './apt.mjs'
import { SetupError, announced, lastLines, retried, run } from './run.mjs'

const promtool = {
  debianPackage: 'prometheus',
  size: '19 MB',
  file: 'usr/bin/promtool',
  within: work => join(work, 'usr/bin/promtool'),
  place: '.cache/bin/promtool',
  isThere: path => findExecutable('promtool') !== undefined || run(path, ['--version']).ok,
  elsewhere: `  macOS                       brew install prometheus
  elsewhere                   https://prometheus.io/download/`
}

const libfaketime = {
  debianPackage: 'libfaketime',
  size: '50 kB',
  file: 'usr/lib/*/faketime/libfaketime.so.1',
  // One folder, of the machine's architecture.
  within: work => join(work, 'usr/lib', ...readdirSync(join(work, 'usr/lib')), 'faketime/libfaketime.so.1'),
  place: '.cache/lib/libfaketime.so.1',
  isThere: path => existsSync(path),
  elsewhere: `  other Linux                 build https://github.com/wolfcw/libfaketime`
}

/** Throws SetupError, with what to install, when something is missing and cannot be fetched from here. */
export function ensurePromtool(repository, mayInstall) {
  ensure(repository, promtool, mayInstall)
}

/** The same for libfaketime. */
export function ensureLibfaketime(repository, mayInstall) {
  ensure(repository, libfaketime, mayInstall)
}

function ensure(repository, tool, mayInstall) {
  const path = join(repository, tool.place)
  if (tool.isThere(path)) return
  if (!mayInstall) throw new SetupError(explain(tool, FORBIDDEN))
  const missing = ['apt-get', 'dpkg-deb'].filter(name => findExecutable(name) === undefined)
  if (missing.length > 0) throw new SetupError(explain(tool, `there is no ${missing.join(' and no ')} on this system`))

  mkdirSync(dirname(path), { recursive: true })
  // Beside its place, so that the last step is a rename: whoever looks finds all of it or nothing.
  const work = mkdtempSync(join(dirname(path), `${tool.debianPackage}-`))
  try {
    const what = `fetching Debian's package ${tool.debianPackage} (${tool.size}) for ${tool.place} …`
    const { ok, output } = announced(what, () => fetchInto(work, tool.debianPackage))
    if (!ok) throw new SetupError(explain(tool, lastLines(output)))
    renameSync(tool.within(work), path)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  if (!tool.isThere(path)) throw new SetupError(explain(tool, 'it was fetched, but does not run'))
}

/** Downloading and unpacking want no rights; only lists of packages that are missing or old do. */
function fetchInto(work, debianPackage) {
  const download = () => run('apt-get', ['download', '-q', '-o', 'Acquire::Retries=3', debianPackage], { cwd: work })
  let downloaded = download()
  if (!downloaded.ok) {
    const { how, whyNot } = findInstaller(true)
    if (whyNot)
      return {
        ok: false,
        output: `apt-get does not find it, and its lists of packages cannot be updated: ${whyNot}\n${downloaded.output}`
      }
    const [command, ...words] = [...how, 'apt-get', 'update', '-q']
    downloaded = retried(() => {
      // A failed update may be about a repository that has nothing to do with us.
      const updated = run(command, words)
      const { ok, output } = download()
      return { ok, output: ok ? output : `${updated.output}${output}` }
    })
  }
  const [archive] = readdirSync(work)
  return downloaded.ok && archive
    ? run('dpkg-deb', ['-x', archive, '.'], { cwd: work })
    : { ok: false, output: downloaded.output }
}

function explain({ debianPackage, file, place, elsewhere }, obstacle) {
  return `The tests need ${place}, which was not fetched from here:
${obstacle}

Please put it there, then run the same command again:
  Debian 12+, Ubuntu 24.04+   apt-get download ${debianPackage} && dpkg-deb -x ${debianPackage}_*.deb . (then ${file})
${elsewhere}`
}
