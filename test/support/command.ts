import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import type { Stack } from '../../compose/local/stack.ts'

export type Ended = { code: number; stdout: string; stderr: string }

/** Runs a command of ours as a process, with nothing in its environment but what is given. */
export function runCommand(path: string, args: readonly string[], environment: Record<string, string>): Promise<Ended> {
  return new Promise(done => {
    const options = { env: { PATH: process.env.PATH, ...environment } }
    execFile(process.execPath, [resolve(path), ...args], options, (error, stdout, stderr) => {
      done({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

/** The same for what operators do with a stack; `output` is all that it wrote. */
export async function runOperatorCommand(
  { redisPath, processorUrls }: Stack,
  name: 'audit' | 'redrive',
  args: readonly string[],
  environment: Record<string, string> = {}
): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await runCommand(`processor-worker/commands/${name}.ts`, args, {
    REDIS_URL: `unix:${redisPath}`,
    PROCESSOR_TOKEN: '123',
    DEFAULT_PROCESSOR_URL: processorUrls.default,
    FALLBACK_PROCESSOR_URL: processorUrls.fallback,
    ...environment
  })
  return { code, output: stdout + stderr }
}
