import { execFileSync } from 'node:child_process'
import { chromium, type Browser } from 'playwright-core'

/**
 * A real Chromium without a window, the system's own: `npm test` and `npm run screenshot` install it where there is
 * none.
 */
export async function startBrowser(): Promise<Browser> {
  const executablePath = execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim()
  // Its sandbox refuses to work for root.
  return await chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 })
}
