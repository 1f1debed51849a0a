// What the kernel counts of a container: its cgroup, version 1 or 2, read from this machine's file system.
import { readFileSync } from 'node:fs'

export type Counters = {
  cpuMicros: number
  /** How long its tasks were held back by the CPU limit. */
  throttledMicros: number
  throttledPeriods: number
  /** Memory that can't be given back: what it uses less the files that are cached for it. */
  memoryBytes: number
  /** Processes of it that the kernel killed for memory. */
  oomKills: number
}

export type CounterReader = { read: () => Counters }

/**
 * Undefined where the counters are not on this machine's file system (an engine in a virtual machine).
 * @param pid the container's first process
 */
export function openCounters(pid: number): CounterReader | undefined {
  try {
    const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
      .trim()
      .split('\n')
      .map(line => line.split(':'))
    const unified = lines.find(([id]) => id === '0')?.[2]
    const folderOf = (controller: string) => {
      const path = lines.find(([, names]) => names?.split(',').includes(controller))?.[2]
      return path === undefined ? undefined : `/sys/fs/cgroup/${controller}${path}`
    }
    const [cpu, cpuacct, memory] = [folderOf('cpu'), folderOf('cpuacct'), folderOf('memory')]
    const isV1 = cpu !== undefined && cpuacct !== undefined && memory !== undefined
    const reader = isV1
      ? { read: () => readV1(cpu, cpuacct, memory) }
      : { read: () => readV2(`/sys/fs/cgroup${unified ?? ''}`) }
    reader.read()
    return reader
  } catch {
    return undefined
  }
}

function readV1(cpu: string, cpuacct: string, memory: string): Counters {
  const cpuStat = fields(`${cpu}/cpu.stat`)
  const memoryStat = fields(`${memory}/memory.stat`)
  return {
    cpuMicros: Number(readFileSync(`${cpuacct}/cpuacct.usage`, 'utf8')) / 1_000,
    throttledMicros: need(cpuStat, 'throttled_time') / 1_000,
    throttledPeriods: need(cpuStat, 'nr_throttled'),
    memoryBytes:
      Number(readFileSync(`${memory}/memory.usage_in_bytes`, 'utf8')) -
      need(memoryStat, 'total_active_file') -
      need(memoryStat, 'total_inactive_file'),
    oomKills: fields(`${memory}/memory.oom_control`).get('oom_kill') ?? 0
  }
}

function readV2(folder: string): Counters {
  const cpuStat = fields(`${folder}/cpu.stat`)
  const memoryStat = fields(`${folder}/memory.stat`)
  return {
    cpuMicros: need(cpuStat, 'usage_usec'),
    throttledMicros: cpuStat.get('throttled_usec') ?? 0,
    throttledPeriods: cpuStat.get('nr_throttled') ?? 0,
    memoryBytes:
      Number(readFileSync(`${folder}/memory.current`, 'utf8')) -
      need(memoryStat, 'active_file') -
      need(memoryStat, 'inactive_file'),
    oomKills: need(fields(`${folder}/memory.events`), 'oom_kill')
  }
}

/** A file of "name number" lines. */
function fields(path: string): Map<string, number> {
  return new Map(
    readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map(line => {
        const [name = '', value] = line.split(' ')
        return [name, Number(value)]
      })
  )
}

function need(values: Map<string, number>, name: string): number {
  const value = values.get(name)
  if (value === undefined) throw new Error(`the kernel does not count ${name}`)
  return value
}
