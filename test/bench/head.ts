import type { Provenance } from './command.ts'

/** The first lines of a report: what was measured where. */
export function renderHead({ commit, machine, platform, at }: Provenance, what: string): string {
  return `${commit} on ${machine}, ${at}\n${platform}; ${what}`
}
