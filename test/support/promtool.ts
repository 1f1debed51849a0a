import { spawnSync } from 'node:child_process'
import { delimiter, resolve } from 'node:path'

/** Where the set-up of `npm test` puts promtool if there is none in PATH. */
const OWN_FOLDER = resolve(import.meta.dirname, '../../.cache/bin')

/** What promtool says, all of it, and whether it is content. Throws where there is no promtool. */
export function promtool(words: readonly string[], input = ''): { isFine: boolean; output: string } {
  const { error, status, stdout, stderr } = spawnSync('promtool', words, {
    input,
    encoding: 'utf8',
    env: { ...process.env, PATH: [process.env.PATH, OWN_FOLDER].join(delimiter) }
  })
  if (error) throw new Error(`promtool is missing; npm test brings it: ${error.message}`)
  return { isFine: status === 0, output: `${stdout}${stderr}` }
}
