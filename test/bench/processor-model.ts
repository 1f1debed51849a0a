// How many payments one core carries in the processor model, so that no benchmark of the pipeline measures the model
// instead. Each run: a fresh model, wrk with 64 connections, the books checked against what wrk was answered, and only
// then one JSON line. Capacity is counted by the model's own CPU time, because wrk shares the machine with it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { readUsage } from '../../compose/local/usage.ts'
import { provenance } from '../k6/provenance.ts'
import { startProcessor } from '../support/processor/start.ts'

const seconds = Number(process.env.SECONDS ?? '5')
const connections = 64
const directory = mkdtempSync(join(tmpdir(), 'bench-'))
const releases: (() => Promise<unknown>)[] = []

try {
  for (const round of [1, 2, 3]) {
    await run(`in memory, round ${round}`, {})
    await run(`with journal, round ${round}`, { JOURNAL: join(directory, `journal-${round}`) })
  }
} finally {
  await Promise.all(releases.map(release => release()))
  rmSync(directory, { recursive: true })
}

async function run(name: string, environment: Record<string, string>): Promise<void> {
  const processor = await startProcessor(
    {
      after: release => {
        releases.push(release)
      }
    },
    environment
  )
  const before = readUsage(processor.pid)
  const answered = await wrk(`${processor.url}/payments`)
  const after = readUsage(processor.pid)

  const { bookings, answered: byStatus } = await processor.admin.state()
  // wrk leaves in the middle of its last requests: booked, but not counted by it.
  assert.ok(bookings >= answered && bookings <= answered + connections, `${answered} answered, ${bookings} booked`)
  assert.deepEqual(byStatus, { 200: bookings })
  const summary = await processor.admin.summary()
  assert.deepEqual([summary.totalRequests, summary.totalAmount], [bookings, (bookings * 1990) / 100])

  const cpuMicroseconds = (after.cpuMicroseconds - before.cpuMicroseconds) / bookings
  console.log(
    JSON.stringify({
      run: name,
      ...provenance(),
      node: process.version,
      seconds,
      bookings,
      paymentsPerSecond: Math.round(answered / seconds),
      cpuMicrosecondsPerPayment: Number(cpuMicroseconds.toFixed(2)),
      paymentsPerCoreSecond: Math.round(1e6 / cpuMicroseconds),
      residentMegabytes: Math.round(after.residentBytes / 1e6)
    })
  )
  await processor.end('SIGTERM')
}

/** How many requests wrk had answered, all of them with 2xx. */
async function wrk(url: string): Promise<number> {
  const script = join(import.meta.dirname, 'processor-model.lua')
  const words = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, url]
  const child = spawn('wrk', words, { stdio: ['ignore', 'pipe', 'inherit'] })
  const report = await text(child.stdout)
  assert.doesNotMatch(report, /Non-2xx|Socket errors/, report)
  return Number(/(\d+) requests in/.exec(report)?.[1])
}
