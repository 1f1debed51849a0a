// Which process has a whole core first. Pure.
import type { Setup } from './result.ts'

export const PARTS = ['haproxy', 'gateway', 'redis', 'worker'] as const
export type Part = (typeof PARTS)[number]

const CORE_MICROS = 1e6

/**
 * Payments a second at which the busiest process of a part would have a whole core, if each payment costs as much as it
 * did when it was measured. All of them do their work in one thread.
 */
export function wholeCoreRate({ microsByProcess }: Pick<Setup, 'microsByProcess'>, part: Part): number {
  const micros = Object.entries(microsByProcess)
    .filter(([name]) => name.replace(/-\d+$/, '') === part)
    .map(([, each]) => each)
  return CORE_MICROS / Math.max(...micros)
}

export function saturatesFirst(setup: Pick<Setup, 'microsByProcess'>): Part {
  const rates = PARTS.map(part => wholeCoreRate(setup, part))
  return PARTS[rates.indexOf(Math.min(...rates))] ?? 'redis'
}
