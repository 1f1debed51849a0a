// node compose/local/setup.mjs [--no-servers | --browser | --tests | --engine] SCRIPT [--no-install] [arguments…]
//
// What every npm script begins with: makes this clone ready (npm packages, then redis-server and haproxy, with
// --browser Chromium as well, with --tests promtool and libfaketime too, or a container engine), then runs SCRIPT on
// the Node 22 that the npm packages bring along. Runs itself on any Node from 20, without packages. Says nothing when
// nothing is missing, and what it installs before it does. With --no-install, which SCRIPT does not get, it installs
// nothing and says all that is missing. Exit codes: SCRIPT's own; 2 when something is missing that it cannot or must
// not install.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensurePackages } from './setup/packages.mjs'
import { findExecutable } from './setup/apt.mjs'
import { ensureEngine } from './setup/engine.mjs'
import { ensureLibfaketime, ensurePromtool } from './setup/unpacked.mjs'
import { ensureServers, ensureServersAndBrowser } from './setup/servers.mjs'
import { SetupError } from './setup/run.mjs'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const NO_INSTALL = '--no-install'

/** What a script needs besides the npm packages. */
const needs = {
  '--no-servers': [],
  '--browser': [ensureServersAndBrowser],
  '--tests': [
    ensureServersAndBrowser,
    mayInstall => {
      ensurePromtool(repository, mayInstall)
    },
    mayInstall => {
      ensureLibfaketime(repository, mayInstall)
    }
  ],
  '--engine': [ensureEngine]
}

// Outside root's PATH on Debian, and where its haproxy lives.
const serverFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin']

async function main() {
  const hostMajor = Number(process.versions.node.split('.')[0])
  if (hostMajor < 20) {
    throw new SetupError(`this needs Node 20 or later, this is ${process.version}: see https://nodejs.org`)
  }
  const words = process.argv.slice(2).filter(word => word !== NO_INSTALL)
  const mayInstall = !process.argv.includes(NO_INSTALL)
  const ensures = words[0] in needs ? needs[words.shift()] : [ensureServers]
  if (words.length === 0) {
    throw new SetupError(
      'usage: node compose/local/setup.mjs [--no-servers | --browser | --tests | --engine] SCRIPT [--no-install] [arguments…]'
    )
  }

  process.env.PATH = [process.env.PATH ?? '', ...serverFolders].filter(Boolean).join(delimiter)
  const [nodePath] = ensureAll([may => ensurePackages(repository, may), ...ensures], mayInstall)
  process.exitCode = await runScript(nodePath, words)
}

/**
 * What cannot be installed ends it at once; what must not be is named together, so that nobody has to try again for the
 * next one.
 */
function ensureAll(ensures, mayInstall) {
  const missing = []
  const results = ensures.map(ensure => {
    try {
      return ensure(mayInstall)
    } catch (error) {
      if (mayInstall || !(error instanceof SetupError)) throw error
      missing.push(error.message)
    }
  })
  if (missing.length > 0) throw new SetupError(missing.join('\n\n'))
  return results
}

/** Runs it as if it had been called directly: same terminal, signals, exit code. */
function runScript(nodePath, words) {
  // Were we killed with SIGKILL, the script would go on without a terminal; this way it is asked to stop.
  const setpriv = findExecutable('setpriv')
  const command = [...(setpriv ? [setpriv, '--pdeathsig', 'SIGTERM', '--'] : []), nodePath, ...words]
  const child = spawn(command[0], command.slice(1), { stdio: 'inherit' })
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  process.on('SIGHUP', () => child.kill('SIGHUP'))
  // Ctrl-C goes to every process of the terminal, the script included: handing it on would look like a second Ctrl-C.
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT')
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      resolve(code ?? 128 + constants.signals[signal])
    })
  })
}

try {
  await main()
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  console.error(`\n${error.message}`)
  process.exitCode = 2
}
