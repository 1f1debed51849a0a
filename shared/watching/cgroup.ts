/** What the kernel says about a CPU quota: of how many of its periods the quota was used up, and for how long. */
export type Throttling = { periods: number; throttledPeriods: number; throttledSeconds: number }

/** Reads `cpu.stat` of cgroup v2 (throttled_usec) or v1 (throttled_time, in ns). Undefined where there is no quota. */
export function parseCpuStat(text: string): Throttling | undefined {
  const value = (name: string) => {
    const digits = new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]
    return digits === undefined ? undefined : Number(digits)
  }
  const periods = value('nr_periods')
  const throttledPeriods = value('nr_throttled')
  const [micros, nanos] = [value('throttled_usec'), value('throttled_time')]
  const throttledSeconds = micros !== undefined ? micros / 1e6 : nanos !== undefined ? nanos / 1e9 : undefined
  if (!periods || throttledPeriods === undefined || throttledSeconds === undefined) return undefined
  return { periods, throttledPeriods, throttledSeconds }
}

/**
 * Where a process may find its `cpu.stat`, by the text of /proc/self/cgroup: a line is "0::/path" in version 2 and
 * "4:cpu,cpuacct:/path" in version 1. In a container the path is often not there, and its own folder is the root.
 */
export function cpuStatPaths(cgroupFile: string): string[] {
  const paths: string[] = []
  for (const [, controllers, path] of cgroupFile.matchAll(/^\d+:([^:]*):(.*)$/gm)) {
    if (controllers === undefined || path === undefined) continue
    const mount =
      controllers === ''
        ? '/sys/fs/cgroup'
        : controllers.split(',').includes('cpu')
          ? `/sys/fs/cgroup/${controllers}`
          : undefined
    if (mount !== undefined) paths.push(`${mount}${path === '/' ? '' : path}/cpu.stat`, `${mount}/cpu.stat`)
  }
  return paths
}
