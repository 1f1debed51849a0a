// What processes use, by the operating system's own account. Linux only.
import { readdirSync, readFileSync } from 'node:fs'
import { readUsage } from '../../compose/local/usage.ts'
import { sum } from '../support/statistics.ts'

export type Meter = {
  /** User and system time so far. */
  cpuMicros: () => number
  /** How long it was held back by its CPU limit so far; 0 without one. */
  throttledMicros: () => number
  /** Memory of its own at this moment. */
  memoryBytes: () => number
}

/**
 * From /proc/PID/task: nanoseconds, where /proc/PID/stat has steps of 10 ms, too coarse for a second at 500 payments.
 * Threads that have ended are not in it, nor are children (Redis's rewrite of its log); ours keep their threads.
 *
 * @throws ENOENT once there is no such process
 */
export function processMeter(pid: number): Meter {
  return {
    cpuMicros: () =>
      sum(
        readdirSync(`/proc/${pid}/task`).map(
          thread => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1_000
        )
      ),
    throttledMicros: () => 0,
    memoryBytes: () => readUsage(pid).anonymousBytes
  }
}

/** @param meters as they are at the moment of each reading */
export function sumOfMeters(meters: () => readonly Meter[]): Meter {
  return {
    cpuMicros: () => sum(meters().map(meter => meter.cpuMicros())),
    throttledMicros: () => sum(meters().map(meter => meter.throttledMicros())),
    memoryBytes: () => sum(meters().map(meter => meter.memoryBytes()))
  }
}

/** Everything that this machine's cores were busy with so far; what a hypervisor took away is among it. */
export function machineCpuMicros(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (
    readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? ''
  )
    .split(/\s+/)
    .map(Number)
  // In ticks of 10 ms.
  return (user + nice + system + irq + softirq + steal) * 10_000
}
