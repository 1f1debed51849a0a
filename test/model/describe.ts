import type { Failure } from './check.ts'

/** What broke, how, and how to see it again. */
export function describeFailure({ seed, message, stepCount, trace }: Failure): string {
  return [
    `${message}, after`,
    ...trace.map(line => `  ${line}`),
    `found after ${stepCount} steps; again: npm run model -- --seed ${seed}`
  ].join('\n')
}
