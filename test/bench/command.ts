// What the commands of the benchmark family have in common: arguments, the load tool, a line of results, signals and
// exit codes.
import { appendFileSync, mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { abortOnSignals, UsageError } from '../k6/command-line.ts'
import { provenance } from '../k6/provenance.ts'
import { NoEngineError } from '../support/engine/engine.ts'
import { ensureLoad, NoLoadToolError } from './find-load.ts'
import { serialise } from './result.ts'

/** What every line of results begins with. */
export type Provenance = { at: string; commit: string; machine: string; platform: string }

export type Tools = {
  /** The load tool's path. */
  tool: string
  signal: AbortSignal
  /** Progress, on stderr. */
  say: (line: string) => void
}

export type Command<Settings extends { wantsJson: boolean }, Figures extends object> = {
  /** As in `npm run bench:<name>` and `.results/<name>.jsonl`. */
  name: string
  usage: string
  /** Undefined when help is wanted. @throws Error that says which argument is wrong */
  readSettings: (words: readonly string[]) => Settings | undefined
  measure: (settings: Settings, tools: Tools) => Promise<Figures>
  render: (result: Provenance & Figures) => string
}

export const EXIT_CODES = `Exit codes
  0    the figures stand: everything accepted was settled and the books are equal
  1    something of that was not so, or a part ended by itself
  2    the run could not take place: arguments or Go
  130  stopped by Ctrl-C`

export const say = (line: string) => {
  console.error(line)
}

/** Runs the command with the arguments of this process, and sets its exit code. */
export async function runCommand<Settings extends { wantsJson: boolean }, Figures extends object>(
  command: Command<Settings, Figures>
): Promise<void> {
  process.exitCode = await exitCodeOf(`bench:${command.name}`, () => run(command))
}

async function run<Settings extends { wantsJson: boolean }, Figures extends object>(
  command: Command<Settings, Figures>
): Promise<number> {
  const settings = settingsFrom(command, process.argv.slice(2))
  if (settings === undefined) {
    console.log(command.usage)
    return 0
  }
  const signal = abortOnSignals()
  try {
    const tool = await ensureLoad(say, signal)
    const figures = await command.measure(settings, { tool, signal, say })
    const result = {
      at: new Date().toISOString(),
      ...provenance(),
      platform: `processes, Node ${process.version}`,
      ...figures
    }
    saveLine(command.name, result)
    console.log(settings.wantsJson ? serialise(result) : command.render(result))
    return 0
  } catch (error) {
    if (!signal.aborted) throw error
    say('Stopped.')
    return 130
  }
}

/** @throws UsageError with the usage behind what is wrong */
export function settingsFrom<Settings>(
  { usage, readSettings }: { usage: string; readSettings: (words: readonly string[]) => Settings },
  words: readonly string[]
): Settings {
  try {
    return readSettings(words)
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`, { cause: error })
  }
}

/** Says on stderr why a command failed. */
export async function exitCodeOf(name: string, main: () => Promise<number>): Promise<number> {
  try {
    return await main()
  } catch (error) {
    console.error(`\n${name}: ${error instanceof Error ? error.message : String(error)}`)
    const couldNotRun =
      error instanceof UsageError || error instanceof NoLoadToolError || error instanceof NoEngineError
    return couldNotRun ? 2 : 1
  }
}

export function resultsPath(name: string): string {
  return resolve(import.meta.dirname, `../../.results/${name}.jsonl`)
}

export function saveLine(name: string, result: object): void {
  const path = resultsPath(name)
  mkdirSync(dirname(path), { recursive: true })
  appendFileSync(path, `${serialise(result)}\n`)
}
