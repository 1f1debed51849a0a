// Goal: the live page shows what GET /status tells, moves with it, says in words what is wrong, its own lost connection
// included, and finds another gateway; anybody can read it; and it asks nothing of anybody but its gateways.
// Method: the real pipeline and a real Chromium without a window. Faults are made for real, by signals and by the
// processors' models.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { Agent, WebSocket } from 'undici'
import type { Point } from '../../gateway/watching/dashboard/history.ts'
import type { StatusBody } from '../../gateway/watching/status/render.ts'
import { startBrowser } from '../support/browser.ts'
import { eventually, PATIENCE_MS, STUCK_AFTER_MS } from '../support/eventually.ts'
import { startGateway } from '../support/gateway.ts'
import { ownerOf } from '../support/owner.ts'
import { newPayment, newPayments } from '../support/payments.ts'
import { startTestPipeline } from '../support/pipeline.ts'

const pipeline = await startTestPipeline({ environment: { gateway: { REDIS_TIMEOUT_MS: '500' } } })
const { stack, admins } = pipeline
const own = ownerOf({ after })
const browser = own(await startBrowser(), running => running.close())
const contrastScript = await readFile(join(import.meta.dirname, '..', 'dashboard', 'contrast.js'), 'utf8')

/** A page of the dashboard that has its first figures, and what went wrong in it and whom it asked so far. */
async function openPage() {
  const viewport = { width: 1280, height: 800 }
  const page = own(await browser.newPage({ viewport }), opened => opened.close())
  page.setDefaultTimeout(PATIENCE_MS)
  const seen = { errors: [] as string[], asked: [] as URL[] }
  page.on('console', message => message.type() !== 'log' && seen.errors.push(message.text()))
  page.on('pageerror', error => seen.errors.push(String(error)))
  page.on('request', asked => seen.asked.push(new URL(asked.url())))
  page.on('websocket', socket => seen.asked.push(new URL(socket.url())))
  await page.goto(`${stack.url}/dashboard`)
  await page.locator('.as-of [data-figure=answeredBy]:not(:text-is("–"))').waitFor()
  return { page, seen }
}

async function status(): Promise<StatusBody> {
  return JSON.parse((await pipeline.get('/status')).body) as StatusBody
}

async function moodOf(page: Page): Promise<string | null> {
  return await page.locator('body').getAttribute('data-mood')
}

async function untilMood(page: Page, mood: string): Promise<void> {
  await page.locator(`body[data-mood=${mood}]`).waitFor()
}

/**
 * What the page says each time that its connection is lost, from now on: it may find another within a tenth of a
 * second.
 */
async function recordLosses(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(`
    window.losses = []
    new MutationObserver(() => {
      if (document.body.dataset.mood === 'lost') window.losses.push(document.querySelector('#lost').textContent)
    }).observe(document.body, { attributeFilter: ['data-mood'] })
    0`)
  return () => page.evaluate<string[]>('window.losses')
}

function figure(page: Page, name: string): Promise<string | null> {
  return page.locator(`[data-figure=${name}]`).textContent()
}

async function problemsOf(page: Page): Promise<string[]> {
  return await page.locator('#problems li').allTextContents()
}

const decimals = (amount: number) =>
  amount.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })

/** What a gateway tells a page first. */
async function firstMessage(socketPath: string): Promise<{ points: Point[] }> {
  const dispatcher = own(new Agent({ connect: { socketPath } }), pool => pool.destroy())
  const client = new WebSocket('ws://gateway/dashboard/live', { dispatcher })
  const [{ data }] = (await once(client, 'message')) as [{ data: unknown }]
  client.close()
  return JSON.parse(String(data)) as { points: Point[] }
}

type Target = { port: number } | { socketPath: string }

/** The answer to a GET, as it came. */
async function ask(target: Target, path: string, headers: Record<string, string> = {}) {
  const [response] = (await once(request({ ...target, path, headers }).end(), 'response')) as [IncomingMessage]
  const body = Buffer.concat((await response.toArray()) as Buffer[])
  return { status: response.statusCode ?? 0, headers: response.headers, body }
}

/** The status code of an attempt to open the page's WebSocket. */
async function upgradeCode(target: Target, headers: Record<string, string> = {}): Promise<number> {
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ=='
  }
  const attempt = request({ ...target, path: '/dashboard/live', headers: { ...upgrade, ...headers } }).end()
  const answer = (await Promise.race([once(attempt, 'response'), once(attempt, 'upgrade')])) as [
    IncomingMessage,
    Socket?
  ]
  answer[0].resume()
  if (answer[1] !== undefined) own(answer[1], open => open.destroy())
  return answer[0].statusCode ?? 0
}

const MEASURE = `({
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  gap: document.querySelector('#flow-chart .uplot').clientWidth - document.querySelector('#flow-chart').clientWidth
})`

describe('the live page', { timeout: STUCK_AFTER_MS }, async () => {
  const gatewayPaths = [1, 2].map(n => join(dirname(stack.redisPath), `gateway-${n}.sock`))
  const { page, seen } = await openPage()

  it('shows the figures of GET /status', async () => {
    await Promise.all(newPayments(30).map(pipeline.pay))
    await pipeline.pay(newPayment(1_234_567))
    await pipeline.untilSettled()
    await eventually('the page and the status are equal', async () => {
      const { acceptedPerSecond, settledPerSecond, queue, money, processors, preferred } = await status()
      const { payments } = processors.default.settled
      assert.deepEqual([acceptedPerSecond, settledPerSecond, queue.unsettled, payments], [0, 0, 0, 31])
      const wanted = {
        in: '0',
        out: '0',
        outDefault: '0',
        outFallback: '0',
        waiting: '0',
        inFlight: '0',
        oldestWaiting: '–',
        refused: '0',
        settled: decimals(money.settled),
        fees: decimals(money.fees),
        net: decimals(money.net),
        allOnFallbackFees: decimals(money.allOnFallback.fees),
        allOnFallbackNet: decimals(money.allOnFallback.net),
        saved: decimals(money.allOnFallback.fees - money.fees),
        preferred: 'default',
        preferredWhy: preferred.why
      }
      const shown = await Promise.all(Object.keys(wanted).map(async name => [name, await figure(page, name)]))
      assert.deepEqual(shown, Object.entries(wanted))
      return true
    })
    assert.equal(await figure(page, 'settled'), '12,942.67')
    for (const [name, payments, share, amount] of [
      ['default', '31', '100%', '12,942.67'],
      ['fallback', '0', '0%', '0.00']
    ] as const) {
      const part = async (of: string) => await page.locator(`#${name} [data-of=${of}]`).textContent()
      const parts = await Promise.all(['name', 'payments', 'share', 'amount', 'verdict', 'breakers'].map(part))
      assert.equal(parts.join(' | '), `${name} | ${payments} | ${share} | ${amount} | ✓ works | ✓ CLOSED worker-1`)
      assert.match((await part('health')) ?? '', /^✓ healthy, min 0 ms, \d+(\.\d)? s ago$/)
    }
    const processes = await page.locator('#processes li').allTextContents()
    assert.deepEqual(processes.slice(0, 4), ['✓ gateway-1', '✓ gateway-2', '✓ worker-1', '✓ monitor-1'])
    await untilMood(page, 'well')
    assert.equal(await page.locator('#headline').textContent(), 'All is well')
    // While there are answers within the last ten seconds.
    await pipeline.pay(newPayment())
    await eventually('latencies are shown', async () => {
      for (const name of ['acceptP50', 'acceptP99']) assert.match((await figure(page, name)) ?? '', /^[\d.,]+$/)
      return true
    })
  })

  it('moves its charts under load, and a page that is opened later begins with the same minutes', async () => {
    const chart = page.locator('#flow-chart')
    const pixels = () => page.evaluate<string>("document.querySelector('#flow-chart canvas').toDataURL()")
    const before = { points: Number(await chart.getAttribute('data-points')), pixels: await pixels() }
    await eventually('the charts show payments', async () => {
      await Promise.all(newPayments(20).map(pipeline.pay))
      const [, inside, out] = /in (\d+), out, default (\d+)/.exec((await chart.getAttribute('aria-label')) ?? '') ?? []
      const points = Number(await chart.getAttribute('data-points'))
      return Number(inside) > 5 && Number(out) > 5 && points >= Math.max(before.points + 2, 12)
    })
    assert.notEqual(await pixels(), before.pixels)
    assert(Number(((await figure(page, 'settled')) ?? '').replaceAll(',', '')) > 12_942.67)

    // One of five seconds at least, at a gateway that nobody watched.
    const messages = await Promise.all(gatewayPaths.map(firstMessage))
    for (const { points } of messages) {
      const times = points.map(([atMs]) => atMs)
      assert(times.length >= 2)
      assert.deepEqual(
        times,
        [...new Set(times)].sort((a, b) => a - b)
      )
    }
    const accepted = messages.flatMap(({ points }) => points.map(([, count]) => count ?? 0))
    assert(Math.max(...accepted) > 0, JSON.stringify(messages))
    const { page: later } = await openPage()
    assert(Number(await later.locator('#flow-chart').getAttribute('data-points')) >= 3)
    await later.close()
  })

  it('asks nobody but its gateway, and has no errors', () => {
    assert.deepEqual(new Set(seen.asked.map(({ host }) => host)), new Set([new URL(stack.url).host]))
    const paths = seen.asked.map(({ pathname }) => pathname)
    for (const path of ['/dashboard', '/dashboard/uplot.js', '/dashboard/page.js', '/dashboard/live'])
      assert(paths.includes(path), `${path} of ${paths.join(' ')}`)
    assert.deepEqual(seen.errors, [])
  })

  it('can be read in dark and light, on a desk and on a phone', async () => {
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme })
      const { count, low } = await page.evaluate<{ count: number; low: unknown[] }>(contrastScript)
      assert(count > 60, String(count))
      assert.deepEqual(low, [], colorScheme)
    }
    for (const width of [360, 390, 768, 1280, 3840]) {
      await page.setViewportSize({ width, height: 800 })
      await eventually(`all fits into ${width} px, and the plot fills its frame`, async () => {
        const { overflow, gap } = await page.evaluate<{ overflow: number; gap: number }>(MEASURE)
        return overflow <= 0 && Math.abs(gap) <= 1
      })
    }
    await page.setViewportSize({ width: 1280, height: 800 })
  })

  it('says in the words of the status that a processor fails, then that both do, then that all is well', async () => {
    await admins.default.setFailing(true)
    await Promise.all(newPayments(5).map(pipeline.pay))
    await untilMood(page, 'trouble')
    await page.locator('#default[data-verdict=fails]').waitFor()
    const inWords = await eventually('the page says so', async () =>
      (await problemsOf(page)).find(problem => problem.includes('default processor fails'))
    )
    // As the clock here has it.
    const since = new Date((await status()).processors.default.breakers[0]?.since ?? '').toLocaleTimeString('en-GB')
    const sentence = `^The default processor fails: its breaker is (OPEN|HALF_OPEN) at worker-1 \\(since ${since}, `
    assert.match(inWords, new RegExp(sentence))
    assert.equal((await page.evaluate<{ low: unknown[] }>(contrastScript)).low.length, 0)
    await admins.fallback.setFailing(true)
    await Promise.all(newPayments(5).map(pipeline.pay))
    await untilMood(page, 'serious')
    await eventually('the page names both', async () =>
      (await problemsOf(page)).some(problem => problem.startsWith('Both processors fail'))
    )
    for (const admin of Object.values(admins)) await admin.setFailing(false)
    await pipeline.untilSettled()
    await untilMood(page, 'well')
    assert.deepEqual(await problemsOf(page), [])
  })

  it('says that Redis is away, and that the figures are old', async () => {
    const settled = await figure(page, 'settled')
    stack.part('redis').kill('SIGSTOP')
    await untilMood(page, 'serious')
    await page.locator('body.stale').waitFor()
    assert.equal(await page.locator('#headline').textContent(), 'Redis is away: old figures')
    assert.match((await problemsOf(page)).join(), /^Redis has not answered /)
    assert.equal(await figure(page, 'settled'), settled)
    stack.part('redis').kill('SIGCONT')
    await untilMood(page, 'well')
    await page.locator('body:not(.stale)').waitFor()
  })

  /** Does this to the page's gateway; returns which one that was, and the first thing that the page said then. */
  async function loseGateway(signal: 'SIGKILL' | 'SIGSTOP') {
    const losses = await recordLosses(page)
    const before = (await figure(page, 'answeredBy')) ?? ''
    stack.part(before).kill(signal)
    const isAnother = async () => ![before, null].includes(await figure(page, 'answeredBy'))
    await eventually('another gateway tells', isAnother)
    return { gateway: stack.part(before), loss: (await losses())[0] }
  }

  it('finds the other gateway when its own is killed, and says meanwhile that the connection is lost', async () => {
    const { gateway, loss } = await loseGateway('SIGKILL')
    assert.notEqual(loss, undefined)
    await gateway.exited
    await gateway.start()
    await untilMood(page, 'well')
  })

  it('notices a gateway that hangs with the connection open', async () => {
    const { gateway, loss = '' } = await loseGateway('SIGSTOP')
    const [, seconds] =
      /^Nothing heard for (\d+) s, trying again … All figures are those of \d\d:\d\d:\d\d\.$/.exec(loss) ?? []
    // HAProxy ends a silent tunnel after 15 s; the page knew before.
    assert(Number(seconds) >= 3 && Number(seconds) <= 12, loss)
    gateway.kill('SIGCONT')
    await untilMood(page, 'well')
  })

  it('is sent away by a gateway that stops, which waits for nobody', async () => {
    const client = new WebSocket(`ws://127.0.0.1:${pipeline.port}/dashboard/live`)
    const closing = once(client, 'close') as Promise<[{ code: number }]>
    const teller = new Promise<string>(resolve => {
      client.addEventListener('message', ({ data }) => {
        const { status } = JSON.parse(String(data)) as { status?: StatusBody }
        if (status) resolve(status.answeredBy)
      })
    })
    const name = await teller
    assert.deepEqual(await stack.part(name).stop(), { code: 0, signal: null })
    assert.equal((await closing)[0].code, 1012)
    await stack.part(name).start()
    await untilMood(page, 'well')
  })

  it('says that the connection is lost for as long as it is, and goes on by itself', async () => {
    const settled = await figure(page, 'settled')
    // Its soft stop cuts the open WebSocket by itself.
    assert.deepEqual(await stack.part('haproxy').stop(), { code: 0, signal: null })
    await untilMood(page, 'lost')
    assert.equal(await page.locator('#headline').textContent(), 'Connection lost')
    assert.equal(await page.title(), 'Connection lost – Payments')
    await page.locator('body.stale').waitFor()
    const lostSeconds = async () => Number(/for (\d+) s/.exec((await page.locator('#lost').textContent()) ?? '')?.[1])
    await eventually('it counts', async () => (await lostSeconds()) >= 4)
    assert.equal(await figure(page, 'settled'), settled)
    assert.equal(await moodOf(page), 'lost')
    await stack.part('haproxy').start()
    await untilMood(page, 'well')
    await page.locator('body:not(.stale)').waitFor()
    assert.equal(await page.locator('#lost').isVisible(), false)
  })

  it('is compressed for whoever says that he can unpack it', async () => {
    const packed = ['gzip', 'gzip, deflate, br, zstd', 'GZIP;q=0.5', 'br;q=1.0, x-gzip', '*', 'deflate, *;q=0.1']
    const plain = [undefined, '', 'identity', 'br', 'gzip;q=0', 'gzip; q=0.000, *', '*;q=0', 'gzipped']
    for (const [path, word] of [
      ['/dashboard', '<title>'],
      ['/dashboard/page.js', 'import'],
      ['/dashboard/uplot.js', 'uPlot']
    ] as const) {
      for (const encoding of [...packed, ...plain]) {
        const accept = encoding === undefined ? {} : { 'accept-encoding': encoding }
        const { headers, body } = await ask({ port: pipeline.port }, path, accept)
        const wanted = packed.includes(encoding ?? '') ? 'gzip' : undefined
        assert.deepEqual([headers['content-encoding'], headers.vary], [wanted, 'Accept-Encoding'], encoding)
        assert((wanted ? gunzipSync(body) : body).includes(word), encoding)
      }
    }
  })

  it('is not framed and not guessed at, for GET alone', async () => {
    const { status: code, headers } = await pipeline.get('/dashboard')
    const { 'content-type': type, 'x-content-type-options': options, 'content-security-policy': policy } = headers
    assert.deepEqual([code, type, options], [200, 'text/html; charset=utf-8', 'nosniff'])
    assert.match(String(policy), /^default-src 'none'; script-src 'self'; .*frame-ancestors 'none'$/)
    for (const path of ['/dashboard/tsconfig.json', '/dashboard/..%2fmain.ts', '/dashboard/live'])
      assert.equal((await pipeline.get(path)).status, 404, path)
    const posted = await fetch(`${stack.url}/dashboard`, { method: 'POST' })
    assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET'])
  })

  it('lets no page of another host connect, and not more than 50', async () => {
    const { port } = pipeline
    const host = `127.0.0.1:${port}`
    for (const origin of ['http://evil.example', `http://127.0.0.1:${port + 1}`, 'null'])
      assert.equal(await upgradeCode({ port }, { host, origin }), 403, origin)
    for (const origin of [`http://${host}`, `https://${host}`])
      assert.equal(await upgradeCode({ port }, { host, origin }), 101, origin)
    const [socketPath = ''] = gatewayPaths
    const codes = await Promise.all(Array.from({ length: 60 }, () => upgradeCode({ socketPath })))
    assert.deepEqual(new Set(codes), new Set([101, 503]))
    const openCount = codes.filter(code => code === 101).length
    assert(openCount <= 50 && openCount >= 45, String(openCount))
  })

  it('is closed by DASHBOARD=closed, and by STATUS=closed', async () => {
    for (const closed of ['DASHBOARD', 'STATUS']) {
      const environment = { NAME: 'closed', [closed]: 'closed' }
      const { socketPath, kill, exited } = await startGateway(`unix:${stack.redisPath}`, environment)
      assert.equal(await upgradeCode({ socketPath }), 404)
      for (const path of ['/dashboard', '/dashboard/page.js'])
        assert.equal((await ask({ socketPath }, path)).status, 404, path)
      kill('SIGTERM')
      await exited
    }
  })
})
