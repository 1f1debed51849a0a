// What the commands of the benchmark family have in common: the load tool, a line of results, and what is said of them.
import type { ParseArgsOptionsConfig } from 'node:util'
import { defineCommand, type Command } from '../support/command.ts'
import { provenance, saveLine } from '../support/results.ts'
import { ensureLoad } from './find-load.ts'
import { serialise } from './result.ts'

/** What every line of results begins with. */
export type Provenance = { at: string; commit: string; machine: string; platform: string }

export type Tools = {
  /** The load tool's path. */
  tool: string
  signal: AbortSignal
}

type Bench<Options extends ParseArgsOptionsConfig, Settings, Figures extends object> = Pick<
  Command<Options, Settings & { wantsJson: boolean }>,
  'usage' | 'options' | 'readSettings'
> & {
  /** As in `npm run bench:<name>` and `.results/<name>.jsonl`. */
  name: string
  measure: (settings: Settings, tools: Tools) => Promise<Figures>
  render: (result: Provenance & Figures) => string
}

export const EXIT_CODES = `Exit codes
  0    the figures stand: everything accepted was settled and the books are equal
  1    something of that was not so, or a part ended by itself
  2    the run could not take place: arguments or Go
  130  stopped by Ctrl-C`

/** A command that measures once, prints the result and keeps it. */
export function defineBench<const Options extends ParseArgsOptionsConfig, Settings, Figures extends object>({
  name,
  usage,
  options,
  readSettings,
  measure,
  render
}: Bench<Options, Settings, Figures>) {
  return defineCommand({
    name: `bench:${name}`,
    usage,
    options,
    readSettings,
    async run(settings, stopping) {
      const signal = stopping()
      const figures = await measure(settings, { tool: await ensureLoad(signal), signal })
      const platform = `processes, Node ${process.version}`
      const result = { at: new Date().toISOString(), ...provenance(), platform, ...figures }
      saveLine(`${name}.jsonl`, serialise(result))
      console.log(settings.wantsJson ? serialise(result) : render(result))
      return 0
    }
  })
}

/** The first lines of a report: what was measured where. */
export function renderHead({ commit, machine, platform, at }: Provenance, what: string): string {
  return `${commit} on ${machine}, ${at}\n${platform}; ${what}`
}
