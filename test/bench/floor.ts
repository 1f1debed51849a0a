// What the bare parts cost on this machine, driven as hard as they go, each by the account of the operating system. Their sum is
// what the pipeline can't get below in this shape.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Part } from '../../compose/local/part.ts'
import { findFreePort } from '../../compose/local/ports.ts'
import { hasLoggedReady, httpAnswers, redisAnswers } from '../../compose/local/readiness.ts'
import { command } from '../support/engine/command.ts'
import { createOwner, type Own } from '../support/owner.ts'
import type { DrivenResult } from './floor/driver.ts'
import { isAccepted, startLoad } from './load.ts'
import { processMeter } from './meter.ts'
import type { Floor, QueueCosts } from './result.ts'

const repository = resolve(import.meta.dirname, '../..')
const LEAD_SECONDS = 0.5

type Bench = { directory: string; own: Own; seconds: number; signal: AbortSignal }

/** Takes about seven times `seconds`. */
export async function measureFloor(tool: string, seconds: number, signal: AbortSignal): Promise<Floor> {
  const directory = mkdtempSync(join(tmpdir(), 'floor-'))
  const owner = createOwner()
  owner.own(directory, path => { rmSync(path, { recursive: true }) })
  const bench: Bench = { directory, own: owner.own, seconds, signal }
  try {
    const front = await measureFront(tool, bench)
    const queue = await measureQueue(bench, 'bare')
    const ourQueue = await measureQueue(bench, 'ours')
    const model = await startModel(bench)
    const { clientMicros: dispatch } = await drive(bench, 'dispatch', [model.url], model.part)
    return { ...front, dispatch, queue, ourQueue }
  } finally {
    await owner.release()
  }
}

/** HAProxy with our settings before one bare server. */
async function measureFront(tool: string, bench: Bench): Promise<Pick<Floor, 'haproxy' | 'serverAnswering202'>> {
  const socketPath = join(bench.directory, 'bare.sock')
  const url = `http://127.0.0.1:${await findFreePort()}`
  const server = await startPart(bench, 'bare-server', process.execPath, [join(import.meta.dirname, 'floor/bare-server.ts'), socketPath])
  const haproxy = await startPart(bench, 'haproxy', 'haproxy', ['-db', '-f', join(repository, 'haproxy/haproxy.cfg')],
    () => httpAnswers(`${url}/health`), { BIND: new URL(url).host, GATEWAY_1: `unix@${socketPath}` })

  const load = startLoad(tool, url, 0, LEAD_SECONDS + bench.seconds, bench.signal)
  const read = () => ({ wallMicros: Date.now() * 1_000, cpuMicros: [haproxy, server].map(({ pid }) => processMeter(pid ?? 0).cpuMicros()) })
  await sleep(LEAD_SECONDS * 1_000, undefined, { signal: bench.signal })
  const before = read()
  await sleep((bench.seconds - 0.1) * 1_000, undefined, { signal: bench.signal })
  const after = read()
  const requests = await load.requests
  if (!requests.every(isAccepted)) throw new Error('the bare server did not answer every request with 202')
  const answered = requests.filter(({ answeredMicros: at }) => at >= before.wallMicros && at < after.wallMicros).length
  const [haproxyMicros = NaN, serverMicros = NaN] = after.cpuMicros.map((micros, index) => (micros - (before.cpuMicros[index] ?? 0)) / answered)
  await Promise.all([haproxy.stop(), server.stop()])
  return { haproxy: haproxyMicros, serverAnswering202: serverMicros }
}

async function measureQueue(bench: Bench, kind: 'bare' | 'ours'): Promise<QueueCosts> {
  const [accepting, settling] = [await startRedis(bench, `accept-${kind}`), await startRedis(bench, `settle-${kind}`)]
  const accept = await drive(bench, 'accept', [kind, accepting.socketPath], accepting.part)
  const settle = await drive(bench, 'settle', [kind, settling.socketPath], settling.part)
  return {
    acceptInClient: accept.clientMicros,
    acceptInRedis: accept.serverMicros,
    takeAndSettleInClient: settle.clientMicros,
    takeAndSettleInRedis: settle.serverMicros
  }
}

/** Runs a client in a process of its own, then ends the server that it was for. */
async function drive({ seconds, signal }: Bench, client: 'accept' | 'settle' | 'dispatch', words: string[], server: Part): Promise<DrivenResult> {
  const script = join(import.meta.dirname, `floor/${client}.ts`)
  const result = JSON.parse(await command([process.execPath, script, ...words, String(server.pid), String(seconds)], { signal })) as DrivenResult
  await server.stop()
  return result
}

async function startRedis(bench: Bench, name: string): Promise<{ part: Part; socketPath: string }> {
  const [socketPath, data] = [join(bench.directory, `${name}.sock`), join(bench.directory, name)]
  mkdirSync(data)
  const words = [join(repository, 'compose/redis.conf'), '--unixsocket', socketPath, '--dir', data]
  return { part: await startPart(bench, `redis-${name}`, 'redis-server', words, () => redisAnswers(socketPath)), socketPath }
}

async function startModel(bench: Bench): Promise<{ part: Part; url: string }> {
  const host = `127.0.0.1:${await findFreePort()}`
  const environment = { LISTEN: host, JOURNAL: join(bench.directory, 'journal') }
  const words = [join(repository, 'test/support/processor/main.ts')]
  return { part: await startPart(bench, 'model', process.execPath, words, undefined, environment), url: `http://${host}` }
}

async function startPart(
  { directory, own, signal }: Bench, name: string, file: string, words: string[], isReady?: () => Promise<boolean>, environment: Record<string, string> = {}
): Promise<Part> {
  signal.throwIfAborted()
  const logPath = join(directory, `${name}.log`)
  const part = own(new Part({
    name,
    command: file,
    arguments: words,
    environment: { PATH: process.env.PATH ?? '', ...environment },
    workingDirectory: repository,
    logPath,
    stopSignal: 'SIGTERM',
    isReady: isReady ?? (logFromByte => hasLoggedReady(logPath, logFromByte)),
    readyTimeoutMs: 20_000
  }), started => started.stop(0))
  await part.start()
  return part
}
