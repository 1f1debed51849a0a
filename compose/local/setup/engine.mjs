// A container engine with compose: one that runs, or what it takes to start one (test/support/engine starts it).
import { findExecutable, findInstaller, installWithApt } from './apt.mjs'
import { SetupError, lastLines, run } from './run.mjs'

/** Throws SetupError, with what to do, when there is no engine to use and none to start. */
export function ensureEngine(mayInstall) {
  const problem = findProblem()
  if (problem === undefined) return
  const { how, whyNot } = findInstaller(mayInstall)
  if (whyNot) throw new SetupError(explain(problem, whyNot))
  // debootstrap: for stand-ins of the base images, where no image registry can be reached.
  const names = ['docker.io', 'docker-compose', 'iptables', 'debootstrap']
  const what = `installing ${names.join(', ')} with apt-get (${problem}); their system services stay off …`
  const { ok, output } = installWithApt(how, names, what)
  const remaining = findProblem()
  if (remaining !== undefined)
    throw new SetupError(explain(remaining, ok ? 'apt-get has no more' : `apt-get failed:\n${lastLines(output)}`))
}

function findProblem() {
  const hasCompose = run('docker', ['compose', 'version']).ok || findExecutable('docker-compose') !== undefined
  if (run('docker', ['info']).ok) return hasCompose ? undefined : 'a container engine runs, but there is no compose'
  if (process.getuid() !== 0) return 'no container engine answers (docker info)'
  const missing = ['docker', 'dockerd'].filter(name => findExecutable(name) === undefined)
  if (missing.length > 0) return `no container engine answers, and there is no ${missing.join(' and no ')}`
  return hasCompose ? undefined : 'there is no compose'
}

function explain(problem, obstacle) {
  return `This needs a container engine with compose: ${problem}.
It was not installed from here: ${obstacle}

Please start or install one, then run the same command again:
  Debian 12+, Ubuntu 24.04+   sudo apt-get install docker.io docker-compose
  elsewhere                   Docker Desktop, or Docker Engine with the compose plugin`
}
