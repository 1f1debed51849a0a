// What the commands of package.json have in common: arguments, --help, signals, what they say of failures, exit codes.
import { realpathSync } from 'node:fs'
import { relative } from 'node:path'
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { ConfigError } from '../../shared/environment.ts'

/** The run could not take place, because of an argument, a file, a missing tool or the like. */
export class CannotRunError extends Error {
  override name = 'CannotRunError'
}

type Values<Options extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: Options }>>['values']

export type Command<Options extends ParseArgsOptionsConfig, Settings> = {
  /** Stands before what went wrong. */
  name: string
  /** What --help prints, and what follows a wrong argument. */
  usage: string
  /** As parseArgs takes them, without --help. */
  options: Options
  /** @throws Error that says which argument is wrong */
  readSettings: (values: Values<Options>) => Settings
  /**
   * Returns the exit code.
   * @param stopping from its first call on a signal asks for an orderly end, by aborting what it returns
   */
  run: (settings: Settings, stopping: () => AbortSignal) => number | Promise<number>
}

/** Lets TypeScript find out the types of a command's arguments. */
export function defineCommand<const Options extends ParseArgsOptionsConfig, Settings>(
  command: Command<Options, Settings>
): Command<Options, Settings> {
  return command
}

/**
 * Runs a command with the arguments of this process. Sets the exit code: the command's own; 1 when it throws; 2 when it
 * could not run; 130 when it was stopped by a signal.
 */
export async function runCommand<const Options extends ParseArgsOptionsConfig, Settings>(
  command: Command<Options, Settings>
): Promise<void> {
  let signal: AbortSignal | undefined
  try {
    const settings = settingsFrom(command, process.argv.slice(2))
    if (settings === undefined) console.log(command.usage)
    else process.exitCode = await command.run(settings, () => (signal ??= abortOnSignals()))
  } catch (error) {
    const couldNotRun = error instanceof CannotRunError || error instanceof ConfigError
    const isStopped = signal?.aborted === true
    say(isStopped ? 'Stopped.' : `\n${command.name}: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = isStopped ? 130 : couldNotRun ? 2 : 1
  }
}

/** Whether this file is what Node was started with, and not imported by a test. */
export function isMain(file: string): boolean {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === file
}

/** Undefined when help is wanted. @throws CannotRunError with the usage behind what is wrong */
export function settingsFrom<const Options extends ParseArgsOptionsConfig, Settings>(
  { usage, options, readSettings }: Command<Options, Settings>,
  words: readonly string[]
): Settings | undefined {
  try {
    const help = { type: 'boolean', short: 'h' } as const
    const { values } = parseArgs({ args: [...words], options: { ...options, help } })
    return (values as { help?: boolean }).help === true ? undefined : readSettings(values)
  } catch (error) {
    throw new CannotRunError(`${(error as Error).message}\n\n${usage}`, { cause: error })
  }
}

/** @throws Error that names the argument */
export function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN
  if (value >= min && value <= max) return value
  throw new Error(`${name} wants whole numbers from ${min} to ${max}, not "${text}"`)
}

/** Progress, on stderr: stdout is for results. */
export function say(line: string): void {
  console.error(line)
}

/** A path as short as it can be typed here. */
export function shown(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}

/** The first signal asks for an orderly end; a second one, later than what npm hands on of the first, ends at once. */
function abortOnSignals(): AbortSignal {
  const sameSignalWithinMs = 400
  const controller = new AbortController()
  let firstMs: number | undefined
  const onSignal = () => {
    if (firstMs !== undefined && performance.now() - firstMs > sameSignalWithinMs) process.exit(130)
    if (firstMs !== undefined) return
    firstMs = performance.now()
    say('\nStopping … (again to leave at once)')
    controller.abort(new Error('stopped by a signal'))
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal)
  return controller.signal
}
