import { chromium, type Browser } from 'playwright-core'
import { findExecutable } from '../../compose/local/setup/apt.mjs'

/** A real Chromium without a window, the system's own; the set-up sees to it that there is one. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = findExecutable('chromium')
  if (executablePath === undefined) throw new Error('there is no chromium in PATH')
  // Its sandbox refuses to work for root.
  return await chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 })
}
