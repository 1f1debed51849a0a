// npm run screenshot: takes the picture of the live page that the README shows, docs/dashboard.png. Two minutes.
//
//   npm run screenshot -- --to FOLDER    writes dark.png, light.png, phone.png and lost.png to the folder instead
//
// The whole system runs on free ports, with 60 to 120 payments a second, which is mild; after 40 s the default
// processor fails for 16 s, for 4 of which payments wait for it (11 unless configured): with fewer of them to catch up
// with afterwards, the other lines are not squeezed. What the picture shows was not made up.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { Pool } from 'undici'
import { startBrowser } from '../support/browser.ts'
import { createOwner } from '../support/owner.ts'
import { newPayment } from '../support/payments.ts'
import { bodyOf } from '../support/pipeline.ts'
import { createRandom } from '../support/random.ts'
import { startTestStack } from '../support/stack.ts'

const SECONDS = 115
const FAILING = { fromSecond: 40, untilSecond: 56 }
const TURN_MS = 50
const DESK = { width: 1280, height: 800 }
const PHONE = { width: 390, height: 844 }

const {
  values: { to }
} = parseArgs({ options: { to: { type: 'string' } } })
const owner = createOwner()
try {
  const environment = { worker: { FALLBACK_AFTER_MS: '4000' } }
  const { stack, admins } = await startTestStack(owner.own, 'screenshot', { environment })
  const browser = owner.own(await startBrowser(), running => running.close())
  const url = `${stack.url}/dashboard`
  const page = await open(browser, url, { viewport: DESK, colorScheme: 'dark' })

  console.log(`${SECONDS} s of load on ${url} …`)
  const load = pay(stack.url)
  await sleep(FAILING.fromSecond * 1_000)
  await admins.default.setFailing(true)
  await sleep((FAILING.untilSecond - FAILING.fromSecond) * 1_000)
  if (to !== undefined) {
    mkdirSync(to, { recursive: true })
    await page.screenshot({ path: join(to, 'trouble.png'), fullPage: true })
  }
  await admins.default.setFailing(false)
  await sleep((SECONDS - FAILING.untilSecond) * 1_000)
  if (to === undefined) {
    await page.screenshot({ path: 'docs/dashboard.png', fullPage: true })
  } else {
    await page.screenshot({ path: join(to, 'dark.png'), fullPage: true })
    await page.setViewportSize(PHONE)
    await page.screenshot({ path: join(to, 'phone.png'), fullPage: true })
    await page.setViewportSize(DESK)
    for (const [name, viewport, colorScheme] of [
      ['light', DESK, 'light'],
      ['phone-light', PHONE, 'light']
    ] as const) {
      const other = await open(browser, url, { viewport, colorScheme })
      await other.screenshot({ path: join(to, `${name}.png`), fullPage: true })
    }
  }
  await load
  if (to !== undefined) {
    await stack.part('haproxy').stop()
    await page.locator('[data-mood=lost]').waitFor()
    await page.screenshot({ path: join(to, 'lost.png'), fullPage: true })
  }
} finally {
  await owner.release()
}

async function open(browser: Browser, url: string, options: Parameters<Browser['newPage']>[0]): Promise<Page> {
  const page = await browser.newPage(options)
  await page.goto(url)
  await page.locator('[data-mood]:not([data-mood=waiting])').waitFor()
  return page
}

/** Pays at a rate that goes up and down, for as long as the run takes. */
async function pay(url: string): Promise<void> {
  const client = owner.own(new Pool(url, { connections: 64, pipelining: 1 }), pool => pool.destroy())
  const random = createRandom(7, 'screenshot')
  const startMs = performance.now()
  let sent = 0
  let due = 0
  const answers: Promise<unknown>[] = []
  for (let second = 0; second < SECONDS; second = (performance.now() - startMs) / 1_000) {
    due += ((90 + 30 * Math.sin(second / 9)) * TURN_MS) / 1_000 + (random.fraction() - 0.5)
    for (; sent < due; sent++) {
      const body = bodyOf(newPayment(random.integer(500, 10_000)))
      answers.push(
        client
          .request({ method: 'POST', path: '/payments', body, headers: { 'content-type': 'application/json' } })
          .then(reply => reply.body.dump())
      )
    }
    await sleep(TURN_MS)
  }
  await Promise.all(answers)
}
