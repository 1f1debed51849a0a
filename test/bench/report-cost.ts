// What it costs that the pipeline can be watched:
//
//   node test/bench/report-cost.ts
//
// By payment: what a gateway and a worker add up for each, in ns, the median of rounds of a million, less what an empty
// round takes. By second: the report of each process, and a reading of the status, in µs of the process and of Redis.
// Fails above 1 µs a payment.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGatewayReport } from '../../gateway/watching/report.ts'
import { figuresOf } from '../../gateway/watching/status/figures.ts'
import { problemsOf } from '../../gateway/watching/status/problems.ts'
import { renderStatus } from '../../gateway/watching/status/render.ts'
import { createTally as createGatewayTally } from '../../gateway/tally.ts'
import { CLOSED } from '../../processor-worker/breaker.ts'
import type { SendOutcome } from '../../processor-worker/outcome.ts'
import { createWorkerReport } from '../../processor-worker/watching/report.ts'
import { createTally as createWorkerTally } from '../../processor-worker/tally.ts'
import { createKeys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { createFunctions } from '../../shared/redis/functions.ts'
import { weighMemory } from '../../shared/watching/memory.ts'
import { observe } from '../../shared/watching/observe.ts'
import { createReports } from '../../shared/watching/reports.ts'
import { record } from '../../shared/watching/histogram.ts'
import { watchProcess } from '../../shared/watching/process-watch.ts'
import { renderReport } from '../../shared/watching/report.ts'
import { renderTable } from '../../shared/table.ts'

const ROUNDS = 9
const PAYMENTS = 1_000_000
/** As they come at some thousand payments a second: fewer a batch cost more each. */
const BATCH = 4
const TIMES = 2_000

function medianOf(measure: () => number): number {
  const figures = Array.from({ length: ROUNDS }, measure).sort((a, b) => a - b)
  return figures[Math.floor(ROUNDS / 2)] ?? NaN
}

/** ns a payment. */
function costOf(work: (index: number) => void): number {
  return medianOf(() => {
    const startedAtMs = performance.now()
    for (let index = 0; index < PAYMENTS; index++) work(index)
    return ((performance.now() - startedAtMs) * 1e6) / PAYMENTS
  })
}

function microsecondsOf(work: () => unknown): number {
  return medianOf(() => {
    const startedAtMs = performance.now()
    for (let index = 0; index < TIMES; index++) work()
    return ((performance.now() - startedAtMs) * 1e3) / TIMES
  })
}

const [gateway, worker] = [createGatewayTally(), createWorkerTally()]
const answers = ['accepted', 'accepted', 'duplicate', 'accepted'] as const
const outcomes: SendOutcome[] = [
  { kind: 'booked' },
  { kind: 'booked' },
  { kind: 'booked' },
  { kind: 'not-booked', reason: 'status 500' }
]
let checksum = 0
const empty = costOf(index => {
  checksum += index & 3
})
let startedAtMs = 0
const inGateway =
  costOf(index => {
    gateway.answers[answers[index & 3] ?? 'refused'] += 1
    if (index % BATCH === 0) startedAtMs = performance.now()
    if (index % BATCH === BATCH - 1) record(gateway.latency, performance.now() - startedAtMs, BATCH)
  }) - empty
let lastTrouble: string | undefined
const inWorker =
  costOf(index => {
    const outcome = outcomes[index & 3] ?? { kind: 'booked' }
    worker.default.answers[outcome.kind] += 1
    if ('reason' in outcome) lastTrouble = outcome.reason
    record(worker.default.latency, index % 50)
    if (index % BATCH === 0) worker.default.settled += BATCH
  }) - empty
assert(checksum > 0 && lastTrouble !== undefined)
assert.equal(gateway.answers.accepted + gateway.answers.duplicate, PAYMENTS * ROUNDS)

const watch = watchProcess()
const identity = { label: 'one', startedAtMs: 0 }
const reportOfGateway = createGatewayReport(identity, gateway)
const reportOfWorker = createWorkerReport(identity, worker, { failuresMax: 3, openMs: 250, ownWordMs: 10_000 })
const view = { default: { breaker: CLOSED, inFlightCount: 0 }, fallback: { breaker: CLOSED, inFlightCount: 0 } }
let nowMs = 0
const now = () => (nowMs += 1_000)
const gatewayReport = microsecondsOf(() => renderReport(reportOfGateway(watch.read(now()), nowMs)))
const workerReport = microsecondsOf(() => renderReport(reportOfWorker(watch.read(now()), view, [], nowMs)))

const directory = await mkdtemp(join(tmpdir(), 'report-cost-'))
const socket = join(directory, 'redis.sock')
const server = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--dir', directory, '--save', ''], {
  stdio: 'ignore'
})
const redis = await connectRedis(`unix:${socket}`, 'report-cost', 30_000, createLog('report-cost', 'silent'))
const keys = createKeys()
const functions = createFunctions(redis, keys, 24)
const reports = createReports(redis, keys)
const texts = [
  renderReport(reportOfGateway(watch.read(now()), nowMs)),
  renderReport(reportOfWorker(watch.read(now()), view, [], nowMs))
]
const inRedis = async (work: () => Promise<unknown>) => {
  await redis.config('RESETSTAT')
  for (let index = 0; index < TIMES; index++) await work()
  return Number(/cmdstat_fcall:.*usec_per_call=([\d.]+)/.exec(await redis.info('commandstats'))?.[1])
}
let turn = 0
const report = await inRedis(() => reports.send(`process-${turn % 5}`, texts[turn++ % 2] ?? ''))
const observation = await inRedis(() => observe(redis, keys))
const sum = await inRedis(() => functions.sumOfAll())
const reading = {
  observation: await observe(redis, keys),
  totals: await functions.sumOfAll(),
  memory: await weighMemory(redis, keys)
}
const status = microsecondsOf(() => {
  const figures = figuresOf(reading, { default: 50_000n, fallback: 150_000n })
  return renderStatus({ problems: problemsOf(figures), isCurrent: true, answeredBy: 'one', ...figures })
})

redis.disconnect()
server.kill()
await once(server, 'exit')
await rm(directory, { recursive: true, force: true })

console.log(
  renderTable(
    ['', 'process', 'Redis'],
    [
      ['a payment, in a gateway', `${inGateway.toFixed(0)} ns`, '-'],
      ['a payment, in a worker', `${inWorker.toFixed(0)} ns`, '-'],
      ['a report of a gateway, once a second', `${gatewayReport.toFixed(0)} µs`, `${report.toFixed(0)} µs`],
      ['a report of a worker, once a second', `${workerReport.toFixed(0)} µs`, `${report.toFixed(0)} µs`],
      [
        'a reading of the status, twice a second at most',
        `${status.toFixed(0)} µs`,
        `${(observation + sum).toFixed(0)} µs`
      ]
    ]
  )
)
assert(inGateway + inWorker < 1_000, 'more than 1 µs a payment')
