// redis-server and haproxy: found, or installed with apt where that is possible without asking anybody.
import { findExecutable, findInstaller, installWithApt } from './apt.mjs'
import { SetupError, lastLines, run } from './run.mjs'

// Redis 7.0 brought functions, HAProxy 2.6 is the oldest that haproxy.cfg is tested with. Both are Debian 12's.
const servers = [
  { name: 'redis-server', question: '--version', pattern: /v=(\d+)\.(\d+)/, major: 7, minor: 0 },
  { name: 'haproxy', question: '-v', pattern: /version (\d+)\.(\d+)/i, major: 2, minor: 6 }
]

/** Throws SetupError, with what to install, when one is missing or too old and cannot be installed from here. */
export function ensureServers() {
  const faults = findFaults()
  if (faults.length === 0) return
  const isOutdated = faults.some(({ isMissing }) => !isMissing)
  const { how, whyNot } = isOutdated ? { whyNot: 'a newer version has to come from elsewhere' } : findInstaller()
  if (whyNot) throw new SetupError(explain(faults, whyNot))

  const names = faults.map(({ server }) => server.name)
  const what = `installing ${names.join(' and ')} with apt-get (${faults.map(({ text }) => text).join(', ')}); ` +
    `${names.length === 1 ? 'its system service stays' : 'their system services stay'} off …`
  const { ok, output } = installWithApt(how, names, what)
  const remaining = findFaults()
  if (remaining.length === 0) return
  const obstacle = ok ? 'apt-get has no newer version' : `apt-get failed:\n${lastLines(output)}`
  throw new SetupError(explain(remaining, obstacle))
}

function findFaults() {
  return servers.flatMap(server => {
    const path = findExecutable(server.name)
    if (path === undefined) return [{ server, isMissing: true, text: `${server.name} is missing` }]
    const [, major = 0, minor = 0] = server.pattern.exec(run(path, [server.question]).output)?.map(Number) ?? []
    const isRecent = major > server.major || (major === server.major && minor >= server.minor)
    const text = `${path} is version ${major}.${minor}, which is too old`
    return isRecent ? [] : [{ server, isMissing: false, text }]
  })
}

function explain(faults, obstacle) {
  const wanted = servers.map(({ name, major, minor }) => `${name} ${major}.${minor} or later`).join(' and ')
  return `This needs ${wanted}:
${faults.map(({ text }) => `  ${text}`).join('\n')}
It could not be installed from here: ${obstacle}

Please install, then run the same command again:
  Debian 12+, Ubuntu 24.04+   sudo apt-get install --no-install-recommends redis-server haproxy
  Fedora, RHEL 9+             sudo dnf install redis haproxy
  macOS                       brew install redis haproxy`
}
