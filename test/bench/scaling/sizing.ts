// From what a payment costs to what a rate needs. Pure.
import type { Service } from '../result.ts'
import type { SizingSample } from './result.ts'

/** Beyond that a process has no room for a busy moment. */
const BUSY_MAX = 0.7
const DAY_SECONDS = 86_400
const MEGABYTE = 2 ** 20

/**
 * A record of an id takes so much while the hashes of a period are packed, up to so many ids, and so much beyond:
 * redis-memory.ts, and redis-memory.ts 3000000.
 */
const ID_BYTES = { packed: 63, packedMax: 2_000_000, unpacked: 108 }

export type Need = {
  rate: number
  measuredAt: number
  paymentsPerDay: number
  coresByService: Record<Service, number>
  cores: number
  /** Processes of one thread each. */
  gateways: number
  workers: number
  /** Of all processes, without what Redis holds of settled payments. */
  megabytes: number
  /** What Redis holds of ids at most: those of two periods of ID_RETENTION_HOURS, 24 by default. */
  idMegabytes: number
  /** What the totals grow by in a day. */
  totalsMegabytesPerDay: number
}

/** @param counts of the setup that was measured */
export function needOf(
  { rate, measuredAt, figures, totalsBytesPerSecond }: SizingSample,
  counts: { workers: number; gateways: number }
): Need {
  const { cpuMicrosByService: micros, memoryMegabytesByService: memory } = figures
  const cores = (service: Service) => (micros[service] * rate) / 1e6
  const gateways = Math.max(2, Math.ceil(cores('gateways') / BUSY_MAX))
  const workers = Math.max(1, Math.ceil(cores('worker') / BUSY_MAX))
  const coresByService = {
    haproxy: cores('haproxy'),
    gateways: cores('gateways'),
    redis: cores('redis'),
    worker: cores('worker'),
    monitor: cores('monitor')
  }
  const idBytes = rate * DAY_SECONDS > ID_BYTES.packedMax ? ID_BYTES.unpacked : ID_BYTES.packed
  return {
    rate,
    measuredAt,
    gateways,
    workers,
    coresByService,
    paymentsPerDay: rate * DAY_SECONDS,
    cores: Object.values(coresByService).reduce((sum, each) => sum + each, 0),
    megabytes:
      memory.haproxy +
      memory.redis +
      memory.monitor +
      (memory.gateways / counts.gateways) * gateways +
      (memory.worker / counts.workers) * workers,
    idMegabytes: (rate * DAY_SECONDS * 2 * idBytes) / MEGABYTE,
    totalsMegabytesPerDay: (totalsBytesPerSecond * DAY_SECONDS) / MEGABYTE
  }
}
