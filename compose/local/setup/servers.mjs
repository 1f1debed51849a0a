// redis-server and haproxy: found, or installed with apt where that is possible without asking anybody.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { SetupError, announced, lastLines, retried, run } from './run.mjs'

// Redis 7.0 brought functions, HAProxy 2.6 is the oldest that haproxy.cfg is tested with. Both are Debian 12's.
const servers = [
  { name: 'redis-server', question: '--version', pattern: /v=(\d+)\.(\d+)/, major: 7, minor: 0 },
  { name: 'haproxy', question: '-v', pattern: /version (\d+)\.(\d+)/i, major: 2, minor: 6 }
]

/** Throws SetupError, with what to install, when one is missing or too old and cannot be installed from here. */
export function ensureServers() {
  const faults = findFaults()
  if (faults.length === 0) return
  const { how, whyNot } = findInstaller(faults)
  if (whyNot) throw new SetupError(explain(faults, whyNot))

  const names = faults.map(({ server }) => server.name)
  const what = `installing ${names.join(' and ')} with apt-get (${faults.map(({ text }) => text).join(', ')}); ` +
    `${names.length === 1 ? 'its system service stays' : 'their system services stay'} off …`
  const [command, ...words] = [...how, 'sh', '-c', aptScript, 'sh', ...names]
  const { ok, output } = announced(what, () => retried(() => run(command, words)))
  const remaining = findFaults()
  if (remaining.length === 0) return
  const obstacle = ok ? 'apt-get has no newer version' : `apt-get failed:\n${lastLines(output)}`
  throw new SetupError(explain(remaining, obstacle))
}

/** The full path of a program, or undefined. */
export function findExecutable(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return join(folder, name)
    } catch { /* not here */ }
  }
  return undefined
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

function findInstaller(faults) {
  if (faults.some(({ isMissing }) => !isMissing)) return { whyNot: 'a newer version has to come from elsewhere' }
  if (!findExecutable('apt-get')) return { whyNot: 'there is no apt-get on this system' }
  if (process.getuid() === 0) return { how: ['env'] }
  // -n: never ask for a password.
  if (findExecutable('sudo') && run('sudo', ['-n', 'true']).ok) return { how: ['sudo', '-n'] }
  return { whyNot: 'that takes root or a sudo without password' }
}

// One script, so that one sudo covers it and the trap removes policy-rc.d whatever happens. policy-rc.d keeps Debian
// from starting a service as part of installing it; one that is there already (containers) is left alone. A failed
// update is not the end: it may be about a repository that has nothing to do with us, or the lists may be good enough.
const aptScript = `
  policy=/usr/sbin/policy-rc.d
  mark='# payment-pipeline set-up: removed after the installation'
  if [ ! -e "$policy" ] && [ ! -L "$policy" ] || grep -qsF "$mark" "$policy"; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' HUP INT TERM
    printf '#!/bin/sh\\n%s\\nexit 101\\n' "$mark" > "$policy" && chmod 755 "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
  apt="apt-get -y -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"
  $apt update
  $apt install --no-install-recommends "$@" || exit 1
  # Nor at the next boot.
  if [ -d /run/systemd/system ]; then systemctl --quiet disable "$@"; fi
  exit 0
`

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
