// The images that ours are built on. Where no image registry can be reached, stand-ins are made of Debian's packages
// under the same names, so that the very same Dockerfile and compose files are tested: Debian 13 with redis-server 8.0,
// HAProxy
// 3.0, and the Node 22 that this project's npm packages bring along.
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { CannotRunError, say } from '../command.ts'
import { runProgram, works } from '../program.ts'
import type { Engine } from './engine.ts'

const REPOSITORY = resolve(import.meta.dirname, '../../..')
const PULL_WITHIN_MS = 300_000
/** Users and folders as the official images have them. */
const STAND_INS: Record<string, string> = {
  redis: `
RUN groupadd --system --gid 999 redis && useradd --system --uid 999 --gid redis --home-dir /data redis \\
 && apt-get update && apt-get install --yes --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/* \\
 && mkdir -p /data && chown redis:redis /data
VOLUME /data`,
  haproxy: `
RUN apt-get update && apt-get install --yes --no-install-recommends haproxy && rm -rf /var/lib/apt/lists/*`,
  node: `
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
COPY certificates.crt /usr/local/share/certificates.crt
# Whatever certificates this machine trusts for its package registry.
ENV NODE_EXTRA_CA_CERTS=/usr/local/share/certificates.crt
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && groupadd --gid 1000 node && useradd --uid 1000 --gid node node`
}

/** Names such as "redis:8.0", from the compose file and the Dockerfile. */
export function baseImages(): string[] {
  const read = (path: string) => readFileSync(join(REPOSITORY, path), 'utf8')
  const named = [
    ...read('compose/docker-compose.yml').matchAll(/^\s+image: (\S+:\S+)$/gm),
    ...read('compose/Dockerfile').matchAll(/^ARG NODE_IMAGE=(\S+)$/gm)
  ]
  return named.map(([, name]) => name ?? '')
}

/**
 * Makes sure that every base image is there: pulled, or else a stand-in.
 * @throws CannotRunError when neither can be had
 */
export async function ensureBaseImages(engine: Engine, signal?: AbortSignal): Promise<void> {
  for (const image of baseImages()) {
    if (await works(engine.docker(['image', 'inspect', image]))) continue
    say(`pulling ${image}`)
    const pulling = AbortSignal.any([AbortSignal.timeout(PULL_WITHIN_MS), ...(signal === undefined ? [] : [signal])])
    if (await works(engine.docker(['pull', image], { signal: pulling }))) continue
    signal?.throwIfAborted()
    await makeStandIn(engine, image, signal)
  }
}

async function makeStandIn(engine: Engine, image: string, signal?: AbortSignal): Promise<void> {
  const [kind = ''] = image.split(':')
  const recipe = STAND_INS[kind]
  if (recipe === undefined) throw new CannotRunError(`${image} can't be pulled, and there is no stand-in for it`)
  const debian = await ensureDebian(engine, signal)
  say(`no image registry within reach: making a stand-in for ${image} of Debian's packages`)
  const folder = mkdtempSync(join(tmpdir(), 'stand-in-'))
  try {
    writeFileSync(join(folder, 'Dockerfile'), `FROM ${debian}\nLABEL stand-in=${kind}${recipe}\n`)
    if (kind === 'node') await addNode(folder)
    await engine.docker(['build', '--tag', image, folder], signal && { signal })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function addNode(folder: string): Promise<void> {
  copyFileSync(process.execPath, join(folder, 'node'))
  const npm = realpathSync((await runProgram(['sh', '-c', 'command -v npm'])).trim())
  cpSync(dirname(dirname(npm)), join(folder, 'npm'), { recursive: true })
  const certificates = process.env.NODE_EXTRA_CA_CERTS
  if (certificates === undefined) writeFileSync(join(folder, 'certificates.crt'), '')
  else copyFileSync(certificates, join(folder, 'certificates.crt'))
}

async function ensureDebian(engine: Engine, signal?: AbortSignal): Promise<string> {
  const image = 'debian-stand-in:13'
  if (await works(engine.docker(['image', 'inspect', image]))) return image
  if (!(await works(runProgram(['sh', '-c', 'command -v debootstrap']))) || !existsSync('/etc/debian_version')) {
    throw new CannotRunError(
      'no image registry can be reached, and stand-ins for the base images want Debian with debootstrap'
    )
  }
  say('no image registry within reach: making a minimal Debian 13, about 30 s')
  const folder = mkdtempSync(join(tmpdir(), 'debian-'))
  const archive = `${folder}.tar`
  try {
    await runProgram(
      ['debootstrap', '--variant=minbase', '--include=ca-certificates', 'trixie', folder],
      signal && { signal }
    )
    // As slim as the official slim images.
    for (const path of ['var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/man', 'usr/share/locale']) {
      rmSync(join(folder, path), { recursive: true, force: true })
    }
    await runProgram(['tar', '-C', folder, '-cf', archive, '.'], signal && { signal })
    const path = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    await engine.docker(['import', '--change', path, archive, image], signal && { signal })
  } finally {
    rmSync(folder, { recursive: true })
    rmSync(archive, { force: true })
  }
  return image
}
