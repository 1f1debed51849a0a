// redis-server and haproxy, and a browser for what looks at the live page: found, or installed with apt where that is
// possible without asking anybody.
import { findExecutable, findInstaller, installWithApt } from './apt.mjs'
import { SetupError, lastLines, run } from './run.mjs'

// Redis 7.0 brought functions, HAProxy 2.6 is the oldest that haproxy.cfg is tested with. Both are Debian 12's.
const servers = [
  { name: 'redis-server', question: '--version', pattern: /v=(\d+)\.(\d+)/, major: 7, minor: 0 },
  { name: 'haproxy', question: '-v', pattern: /version (\d+)\.(\d+)/i, major: 2, minor: 6 }
]
// What playwright-core drives; Debian 12 has a far newer one.
const browser = { name: 'chromium', question: '--version', pattern: /Chromium (\d+)\.(\d+)/, major: 120, minor: 0 }

/** Throws SetupError, with what to install, when one is missing or too old and cannot be installed from here. */
export function ensureServers(mayInstall) {
  ensure(servers, mayInstall)
}

/** The same for the servers and Chromium. */
export function ensureServersAndBrowser(mayInstall) {
  ensure([...servers, browser], mayInstall)
}

function ensure(programs, mayInstall) {
  const faults = findFaults(programs)
  if (faults.length === 0) return
  const isOutdated = faults.some(({ isMissing }) => !isMissing)
  const { how, whyNot } = isOutdated
    ? { whyNot: 'a newer version has to come from elsewhere' }
    : findInstaller(mayInstall)
  if (whyNot) throw new SetupError(explain(programs, faults, whyNot))

  const names = faults.map(({ program }) => program.name)
  const what =
    `installing ${names.join(' and ')} with apt-get (${faults.map(({ text }) => text).join(', ')}); ` +
    'no system service is started …'
  const { ok, output } = installWithApt(how, names, what)
  const remaining = findFaults(programs)
  if (remaining.length === 0) return
  const obstacle = ok ? 'apt-get has no newer version' : `apt-get failed:\n${lastLines(output)}`
  throw new SetupError(explain(programs, remaining, obstacle))
}

function findFaults(programs) {
  return programs.flatMap(program => {
    const path = findExecutable(program.name)
    if (path === undefined) return [{ program, isMissing: true, text: `${program.name} is missing` }]
    const [, major = 0, minor = 0] = program.pattern.exec(run(path, [program.question]).output)?.map(Number) ?? []
    const isRecent = major > program.major || (major === program.major && minor >= program.minor)
    const text = `${path} is version ${major}.${minor}, which is too old`
    return isRecent ? [] : [{ program, isMissing: false, text }]
  })
}

function explain(programs, faults, obstacle) {
  const names = programs.map(({ name }) => name).join(' ')
  const wanted = programs.map(({ name, major, minor }) => `${name} ${major}.${minor} or later`).join(' and ')
  return `This needs ${wanted}:
${faults.map(({ text }) => `  ${text}`).join('\n')}
It was not installed from here: ${obstacle}

Please install, then run the same command again:
  Debian 12+, Ubuntu 24.04+   sudo apt-get install --no-install-recommends ${names}
  Fedora, RHEL 9+             sudo dnf install ${names.replace('redis-server', 'redis')}
  macOS                       brew install ${names.replace('redis-server', 'redis')}`
}
