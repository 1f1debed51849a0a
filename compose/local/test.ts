// npm test: types, style, then every test that needs nothing but this machine.
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'

const usage = `npm test: type check, format, lint, and the tests in test/unit, test/redis, test/model, test/pipeline and
test/faults.

  npm test -- FILE…       only these test files (globs too), without type check and lint
  npm test -- --OPTION…   options for Node's test runner, e.g. --test-name-pattern=refund
  npm test -- --no-install   installs nothing: ends with exit code 2 and says what is missing, and how to install it`

const suites = ['unit', 'redis', 'model', 'pipeline', 'faults'].map(name => `test/${name}/**/*.test.ts`)

async function main(words: string[]): Promise<boolean> {
  if (words.includes('--help') || words.includes('-h')) {
    console.log(usage)
    return true
  }
  const options = words.filter(word => word.startsWith('-'))
  const chosen = words.filter(word => !word.startsWith('-'))
  const files = chosen.length > 0 ? chosen : suites.filter(glob => globSync(glob).length > 0)
  // Side by side: each of them keeps a core busy, and their findings are about different things.
  const checks =
    chosen.length > 0
      ? []
      : [
          step('type check', ['node_modules/typescript/bin/tsc', '--project', 'tsconfig.json']),
          step('type check of the live page', [
            'node_modules/typescript/bin/tsc',
            '--project',
            'gateway/watching/dashboard/page'
          ]),
          step('format (npm run format mends it)', [
            'node_modules/prettier/bin/prettier.cjs',
            '--check',
            '--log-level=warn',
            '.'
          ]),
          step('lint', ['node_modules/eslint/bin/eslint.js', '--max-warnings=0', '.'])
        ]
  const results = await Promise.all(checks)
  results.push(
    await step('tests', [
      // Two at a time, even with more cores: many tests run a whole stack of their own, and wait more than they
      // compute.
      '--test',
      '--test-reporter=spec',
      `--test-concurrency=${Math.min(2, availableParallelism())}`,
      ...options,
      ...files
    ])
  )
  // Again and together: the findings of the checks are far above the output of the tests.
  console.log(`\nnpm test\n${results.map(({ text }) => `  ${text}`).join('\n')}`)
  return results.every(({ isFine }) => isFine)
}

type Result = { isFine: boolean; text: string }

/** Runs Node with these arguments; fine means exit code 0. */
async function step(name: string, words: string[]): Promise<Result> {
  const startMs = performance.now()
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'inherit', 'inherit'] })
  const isFine = await new Promise<boolean>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', code => resolve(code === 0))
  })
  const text = `${isFine ? 'ok  ' : 'FAIL'}  ${name}  ${((performance.now() - startMs) / 1000).toFixed(1)} s`
  console.log(text)
  return { isFine, text }
}

process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1
