import { resolve } from 'node:path'
import type { Stack } from '../../compose/local/stack.ts'
import { startProgram } from './program.ts'

export type Ended = { code: number; stdout: string; stderr: string }

/** Runs a command of ours as a process, with nothing in its environment but what is given. */
export async function runScript(
  path: string,
  args: readonly string[],
  environment: Record<string, string>
): Promise<Ended> {
  const env = { PATH: process.env.PATH, ...environment }
  const { exited, output } = startProgram([process.execPath, resolve(path), ...args], { env })
  const { code } = await exited
  return { code: code ?? NaN, ...output }
}

/** The same for what operators do with a stack; `output` is all that it wrote. */
export async function runOperatorCommand(
  { redisPath, processorUrls }: Stack,
  name: 'audit' | 'redrive',
  args: readonly string[],
  environment: Record<string, string> = {}
): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await runScript(`processor-worker/commands/${name}.ts`, args, {
    REDIS_URL: `unix:${redisPath}`,
    PROCESSOR_TOKEN: '123',
    DEFAULT_PROCESSOR_URL: processorUrls.default,
    FALLBACK_PROCESSOR_URL: processorUrls.fallback,
    ...environment
  })
  return { code, output: stdout + stderr }
}
