// What it costs on this machine that a process sleeps and goes on, which every payment makes four of them do:
//
//   node test/bench/wake-up.ts
//
// µs of CPU of this process for doing nothing, and for adding up 512 KB of memory, again and again and after sleeping for 1 ms each time.
import { renderTable } from '../../shared/table.ts'

const TIMES = 3_000
const ROUNDS = 5
const KILOBYTES = 512

const never = new Int32Array(new SharedArrayBuffer(4))
const memory = new Float64Array(KILOBYTES * 1024 / 8).fill(1)
let checksum = 0

const nothing = () => undefined
const addUp = () => {
  // A number of each cache line.
  for (let index = 0; index < memory.length; index += 8) checksum += memory[index] ?? 0
}

function costOf(work: () => void, sleepMs: number): number {
  const round = () => {
    const before = process.cpuUsage()
    for (let count = 0; count < TIMES; count++) {
      if (sleepMs > 0) Atomics.wait(never, 0, 0, sleepMs)
      work()
    }
    const { user, system } = process.cpuUsage(before)
    return (user + system) / TIMES
  }
  const figures = Array.from({ length: ROUNDS }, round).sort((a, b) => a - b)
  return figures[Math.floor(ROUNDS / 2)] ?? NaN
}

const rows = [['nothing', nothing], [`adding up ${KILOBYTES} KB`, addUp]] as const
console.log(renderTable(['µs of CPU each', 'at once', 'after 1 ms of sleep'],
  rows.map(([name, work]) => [name, costOf(work, 0).toFixed(1), costOf(work, 1).toFixed(1)])))
if (checksum === 0) throw new Error('nothing was added up')
