// The npm packages, exactly as package-lock.json has them.
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { FORBIDDEN } from './apt.mjs'
import { SetupError, announced, lastLines, retried, run } from './run.mjs'

/** Runs `npm ci` if needed; returns the path of the Node 22 among the packages. */
export function ensurePackages(repository, mayInstall) {
  const nodePath = join(repository, 'node_modules/.bin/node')
  const reason = whyInstall(repository, nodePath)
  if (reason === undefined) return nodePath
  if (!mayInstall) throw new SetupError(explain(reason))

  const { ok, output } = announced(`npm ci, because ${reason}; takes 10 to 40 s …`, () =>
    retried(() => {
      const result = run(
        'npm',
        [
          'ci',
          // Whatever the user's configuration says: the tests need the development packages (NODE_ENV=production drops
          // them), and the package `node` fetches its binary in an install script.
          '--include=dev',
          '--ignore-scripts=false',
          '--no-audit',
          '--no-fund',
          '--loglevel=error',
          '--fetch-retry-mintimeout=1000',
          '--fetch-retry-maxtimeout=10000'
        ],
        { cwd: repository, env: hostEnvironment(repository) }
      )
      const why = result.ok ? whyInstall(repository, nodePath) : undefined
      return why === undefined ? result : { ok: false, output: `${result.output}\nnpm ci ended well, but ${why}` }
    })
  )
  if (!ok) throw new SetupError(`npm ci failed:\n${lastLines(output)}`)
  return nodePath
}

function explain(reason) {
  return `This needs the npm packages of package-lock.json: ${reason}.
They were not installed from here: ${FORBIDDEN}

Please install them, then run the same command again:
  npm ci --include=dev --ignore-scripts=false`
}

/**
 * Undefined when node_modules is what package-lock.json asks for. npm keeps its own list of what it has installed,
 * written after everything else, so an interrupted install shows too.
 */
function whyInstall(repository, nodePath) {
  const listPath = join(repository, 'node_modules/.package-lock.json')
  if (!existsSync(listPath)) return 'node_modules is missing or incomplete'
  const installed = JSON.parse(readFileSync(listPath, 'utf8')).packages
  const wanted = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')).packages
  for (const [path, { version, integrity, optional }] of Object.entries(wanted)) {
    // The empty path is the project itself; optional packages may be for other platforms.
    if (path === '' || (optional && !installed[path])) continue
    if (installed[path]?.version !== version || installed[path].integrity !== integrity) {
      return `${path} is not what package-lock.json asks for`
    }
  }
  if (!existsSync(nodePath)) return 'the package node has not installed its binary'
  return undefined
}

// npm puts node_modules/.bin first in PATH, so this may already run on the Node that npm ci is about to delete; npm
// itself must run on the host's.
function hostEnvironment(repository) {
  const own = join(repository, 'node_modules')
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .filter(folder => !folder.startsWith(own))
    .join(delimiter)
  return { ...process.env, PATH: path }
}
