// Installing Debian packages where that is possible without asking anybody.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { announced, retried, run } from './run.mjs'

/** The full path of a program, or undefined. */
export function findExecutable(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return join(folder, name)
    } catch {
      /* not here */
    }
  }
  return undefined
}

/** Why nothing is installed where the user does not want it. */
export const FORBIDDEN = '--no-install was given'

/** `how`: the words before a command that lets it install; or `whyNot`. */
export function findInstaller(mayInstall) {
  if (!mayInstall) return { whyNot: FORBIDDEN }
  if (!findExecutable('apt-get')) return { whyNot: 'there is no apt-get on this system' }
  if (process.getuid() === 0) return { how: ['env'] }
  // -n: never ask for a password.
  if (findExecutable('sudo') && run('sudo', ['-n', 'true']).ok) return { how: ['sudo', '-n'] }
  return { whyNot: 'that takes root or a sudo without password' }
}

/** Installs packages whose services stay off; `what` tells the user what and why. */
export function installWithApt(how, names, what) {
  const [command, ...words] = [...how, 'sh', '-c', aptScript, 'sh', ...names]
  return announced(what, () => retried(() => run(command, words)))
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
  if [ -d /run/systemd/system ]; then systemctl --quiet disable "$@" 2>/dev/null || true; fi
  exit 0
`
