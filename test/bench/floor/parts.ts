// The servers of the bare parts, each in a process of its own that ends with the measurement.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Part } from '../../../compose/local/part.ts'
import { findFreePort } from '../../../compose/local/ports.ts'
import { hasLoggedReady, httpAnswers, redisAnswers } from '../../../compose/local/readiness.ts'
import { createOwner, type Own } from '../../support/owner.ts'

const repository = resolve(import.meta.dirname, '../../..')

export type Bench = { directory: string; own: Own; signal: AbortSignal }

/** Does the work in a temporary folder, and ends what it started. */
export async function inBench<T>(signal: AbortSignal, work: (bench: Bench) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'floor-'))
  const owner = createOwner()
  owner.own(directory, path => {
    rmSync(path, { recursive: true })
  })
  try {
    return await work({ directory, own: owner.own, signal })
  } finally {
    await owner.release()
  }
}

/** HAProxy with our settings before the servers on these sockets. */
export async function startHaproxy(bench: Bench, socketPaths: readonly string[]): Promise<{ part: Part; url: string }> {
  const host = `127.0.0.1:${await findFreePort()}`
  const gateways = Object.fromEntries(socketPaths.map((path, index) => [`GATEWAY_${index + 1}`, `unix@${path}`]))
  const part = await startPart(
    bench,
    'haproxy',
    'haproxy',
    ['-db', '-f', join(repository, 'haproxy/haproxy.cfg')],
    () => httpAnswers(`http://${host}/health`),
    { BIND: host, ...gateways }
  )
  return { part, url: `http://${host}` }
}

/** Redis with our settings. */
export async function startRedis(bench: Bench, name: string): Promise<{ part: Part; socketPath: string }> {
  const [socketPath, data] = [join(bench.directory, `${name}.sock`), join(bench.directory, name)]
  mkdirSync(data)
  const words = [join(repository, 'compose/redis.conf'), '--unixsocket', socketPath, '--dir', data]
  return {
    part: await startPart(bench, `redis-${name}`, 'redis-server', words, () => redisAnswers(socketPath)),
    socketPath
  }
}

/** The model of a processor that the whole system has as well. */
export async function startModel(bench: Bench): Promise<{ part: Part; url: string }> {
  const host = `127.0.0.1:${await findFreePort()}`
  const environment = { LISTEN: host, JOURNAL: join(bench.directory, 'journal') }
  const words = [join(repository, 'test/support/processor/main.ts')]
  return {
    part: await startPart(bench, 'model', process.execPath, words, undefined, environment),
    url: `http://${host}`
  }
}

/** A program of ours that says when it is ready; `file` within test/bench. */
export function startScript(bench: Bench, name: string, file: string, words: readonly string[]): Promise<Part> {
  return startPart(bench, name, process.execPath, [join(repository, 'test/bench', file), ...words])
}

async function startPart(
  { directory, own, signal }: Bench,
  name: string,
  file: string,
  words: string[],
  isReady?: () => Promise<boolean>,
  environment: Record<string, string> = {}
): Promise<Part> {
  signal.throwIfAborted()
  const logPath = join(directory, `${name}.log`)
  const part = own(
    new Part({
      name,
      command: file,
      arguments: words,
      environment: { PATH: process.env.PATH ?? '', ...environment },
      workingDirectory: repository,
      logPath,
      stopSignal: 'SIGTERM',
      isReady: isReady ?? (logFromByte => hasLoggedReady(logPath, logFromByte)),
      readyTimeoutMs: 20_000
    }),
    started => started.stop(0)
  )
  await part.start()
  return part
}
