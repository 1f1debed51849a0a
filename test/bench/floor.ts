// What the bare parts cost on this machine, driven as hard as they go, each by the account of the operating system.
// Their sum is what the pipeline can't get below in this shape.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Part } from '../../compose/local/part.ts'
import { command } from '../support/engine/command.ts'
import type { DrivenResult } from './floor/driver.ts'
import { inBench, startHaproxy, startModel, startRedis, startScript, type Bench } from './floor/parts.ts'
import { isAccepted, startLoad } from './load.ts'
import { processMeter } from './meter.ts'
import type { Floor, QueueCosts } from './result.ts'

const LEAD_SECONDS = 0.5

type FloorBench = Bench & { seconds: number }

/** Takes about seven times `seconds`. */
export async function measureFloor(tool: string, seconds: number, signal: AbortSignal): Promise<Floor> {
  return inBench(signal, async parts => {
    const bench = { ...parts, seconds }
    const front = await measureFront(tool, bench)
    const queue = await measureQueue(bench, 'bare')
    const ourQueue = await measureQueue(bench, 'ours')
    const model = await startModel(bench)
    const { clientMicros: dispatch } = await drive(bench, 'dispatch', [model.url], model.part)
    return { ...front, dispatch, queue, ourQueue }
  })
}

/** HAProxy with our settings before one bare server. */
async function measureFront(tool: string, bench: FloorBench): Promise<Pick<Floor, 'haproxy' | 'serverAnswering202'>> {
  const socketPath = join(bench.directory, 'bare.sock')
  const server = await startScript(bench, 'bare-server', 'floor/bare-server.ts', [socketPath])
  const { part: haproxy, url } = await startHaproxy(bench, [socketPath])

  const load = startLoad(tool, url, 0, LEAD_SECONDS + bench.seconds, bench.signal)
  const read = () => ({
    wallMicros: Date.now() * 1_000,
    cpuMicros: [haproxy, server].map(({ pid }) => processMeter(pid ?? 0).cpuMicros())
  })
  await sleep(LEAD_SECONDS * 1_000, undefined, { signal: bench.signal })
  const before = read()
  await sleep((bench.seconds - 0.1) * 1_000, undefined, { signal: bench.signal })
  const after = read()
  const requests = await load.requests
  if (!requests.every(isAccepted)) throw new Error('the bare server did not answer every request with 202')
  const answered = requests.filter(({ answeredMicros: at }) => at >= before.wallMicros && at < after.wallMicros).length
  const [haproxyMicros = NaN, serverMicros = NaN] = after.cpuMicros.map(
    (micros, index) => (micros - (before.cpuMicros[index] ?? 0)) / answered
  )
  await Promise.all([haproxy.stop(), server.stop()])
  return { haproxy: haproxyMicros, serverAnswering202: serverMicros }
}

async function measureQueue(bench: FloorBench, kind: 'bare' | 'ours'): Promise<QueueCosts> {
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
async function drive(
  { seconds, signal }: FloorBench,
  client: 'accept' | 'settle' | 'dispatch',
  words: string[],
  server: Part
): Promise<DrivenResult> {
  const script = join(import.meta.dirname, `floor/${client}.ts`)
  const result = JSON.parse(
    await command([process.execPath, script, ...words, String(server.pid), String(seconds)], { signal })
  ) as DrivenResult
  await server.stop()
  return result
}
