// What it costs on this machine that a process sleeps and wakes up, which every payment makes four of them do:
//
//   node test/bench/wake-up.ts
//
// µs of CPU of this process for each time that it sleeps for 1 ms and then does nothing.
const TIMES = 3_000
const ROUNDS = 5

const never = new Int32Array(new SharedArrayBuffer(4))

function round(): number {
  const before = process.cpuUsage()
  for (let count = 0; count < TIMES; count++) Atomics.wait(never, 0, 0, 1)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / TIMES
}

const figures = Array.from({ length: ROUNDS }, round).sort((a, b) => a - b)
const [least = NaN, , median = NaN, , most = NaN] = figures
console.log(
  `${median.toFixed(0)} µs of CPU a wake-up (${least.toFixed(0)} to ${most.toFixed(0)} in ${ROUNDS} rounds of ${TIMES})`
)
