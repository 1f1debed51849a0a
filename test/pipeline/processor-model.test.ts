// Goal: the processor model behaves as a real processor does, above all in what is unpleasant about it, because every
// other test of this pipeline rests on that.
// Method: the model as a process of its own, real HTTP. Nothing waits by the clock: /admin/state tells when a request
// is under way, /admin/hold keeps it there, and what takes time is measured from outside with room for a slow machine.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request, type ClientRequest } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { findFreePort } from '../../compose/local/ports.ts'
import { STUCK_AFTER_MS } from '../support/eventually.ts'
import { startProcessor } from '../support/processor/start.ts'

const limits = { timeout: STUCK_AFTER_MS }
const requestedAt = '2026-07-15T12:34:56.000Z'

type Reply = { status: number; body: string }

/** A connection of its own for every request, and no retries: what happens to the connection is what is tested. */
function post(
  url: string,
  id: string,
  fields: Record<string, unknown> = {}
): { sent: ClientRequest; reply: Promise<Reply> } {
  const headers = { 'Content-Type': 'application/json' }
  const sent = request(`${url}/payments`, { method: 'POST', agent: false, headers })
  const reply = new Promise<Reply>((resolve, reject) => {
    sent.on('error', reject)
    sent.on('response', response => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.on('error', reject).on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
  })
  sent.end(JSON.stringify({ correlationId: id, amount: 19.9, requestedAt, ...fields }))
  return { sent, reply }
}

const pay = (url: string, id: string, fields?: Record<string, unknown>) => post(url, id, fields).reply

async function payForStatus(url: string, id: string, fields?: Record<string, unknown>): Promise<number> {
  return (await pay(url, id, fields)).status
}

async function find(url: string, id: string): Promise<Reply> {
  const response = await fetch(`${url}/payments/${id}`)
  return { status: response.status, body: await response.text() }
}

/** The code of the error that this ends with. */
async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    return `no error: ${JSON.stringify(await work)}`
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}

const newIds = (count: number) => Array.from({ length: count }, () => randomUUID())

function newJournal(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'processor-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return join(directory, 'journal')
}

describe('a payment', limits, () => {
  it('is stored as sent, to the cent, and found by its id', async t => {
    const { url, admin } = await startProcessor(t)
    const [id = '', rounded = ''] = newIds(2)
    assert.deepEqual(await pay(url, id), { status: 200, body: '{"message":"payment processed successfully"}' })
    assert.equal(await payForStatus(url, rounded, { amount: 10.005 }), 200)

    const body = `{"correlationId":"${id}","amount":19.90,"requestedAt":"${requestedAt}"}`
    assert.deepEqual(await find(url, id), { status: 200, body })
    assert.match((await find(url, rounded)).body, /"amount":10\.01,/)
    assert.equal((await find(url, randomUUID())).status, 404)
    const totals = { totalRequests: 2, totalAmount: 29.91, totalFee: 1.4955, feePerTransaction: 0.05 }
    assert.deepEqual(await admin.summary(), totals)
  })

  it('is stored once: its second attempt gets 422 and changes nothing', async t => {
    const { url, admin } = await startProcessor(t)
    const id = randomUUID()
    assert.equal(await payForStatus(url, id), 200)
    assert.equal(await payForStatus(url, id.toUpperCase(), { amount: 5, requestedAt: '2026-07-15T13:00:00.000Z' }), 422)
    assert.match((await find(url, id)).body, /"amount":19\.90,"requestedAt":"2026-07-15T12:34:56\.000Z"/)
    assert.equal((await admin.summary()).totalRequests, 1)
  })

  it('with a bad body gets 400', async t => {
    const { url } = await startProcessor(t)
    assert.equal(await payForStatus(url, 'no uuid'), 400)
    assert.equal(await payForStatus(url, randomUUID(), { amount: '19.9' }), 400)
    assert.equal(await payForStatus(url, randomUUID(), { requestedAt: undefined }), 400)
  })

  it('can come in pieces', async t => {
    const { url, port } = await startProcessor(t)
    const id = randomUUID()
    const body = JSON.stringify({ correlationId: id, amount: 19.9, requestedAt })
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    socket.write(`POST /payments HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 10)}`)
    // The model answers this once it has been through its event loop, where the first piece was waiting.
    await find(url, id)
    socket.write(body.slice(10))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    assert.match(answer.toString(), /^HTTP\/1\.1 200 OK/)
  })

  it('is stored although its client has gone: running, or still in the queue', async t => {
    const { url, admin } = await startProcessor(t, { RUNNING_MAX: '1' })
    await admin.setHolding(true)
    const [running = '', queued = ''] = newIds(2)
    const clients = [post(url, running)]
    await admin.until(state => state.running === 1)
    clients.push(post(url, queued))
    await admin.until(state => state.queued === 1)
    for (const { sent, reply } of clients) {
      sent.destroy()
      assert.equal(await codeOf(reply), 'ECONNRESET')
    }
    assert.equal((await admin.state()).bookings, 0)

    await admin.setHolding(false)
    await admin.until(state => state.running === 0 && state.queued === 0)
    for (const id of [running, queued]) assert.equal((await find(url, id)).status, 200)
  })

  it('fails by the flag as it is after the delay, not on arrival', async t => {
    const { url, admin } = await startProcessor(t)
    const [late = '', early = ''] = newIds(2)

    await admin.setHolding(true)
    const hit = post(url, late)
    await admin.until(state => state.running === 1)
    await admin.setFailing(true)
    await admin.setHolding(false)
    assert.equal((await hit.reply).status, 500)
    assert.equal((await find(url, late)).status, 404)

    await admin.setHolding(true)
    const spared = post(url, early)
    await admin.until(state => state.running === 1)
    await admin.setFailing(false)
    await admin.setHolding(false)
    assert.equal((await spared.reply).status, 200)
    assert.equal((await find(url, early)).status, 200)
  })

  it('waits as long as the delay says, however many do', async t => {
    const { url, admin } = await startProcessor(t)
    await admin.setDelay(100)
    const spentMs = await Promise.all(
      newIds(500).map(async id => {
        const sentMs = performance.now()
        assert.equal(await payForStatus(url, id), 200)
        return performance.now() - sentMs
      })
    )
    // Timers count whole milliseconds, so one may end up to 1 ms early.
    assert.ok(Math.min(...spentMs) >= 98.5, `${Math.min(...spentMs)} ms`)
    // One after the other would be 50 s.
    assert.ok(Math.max(...spentMs) < 25_000, `${Math.max(...spentMs)} ms`)
  })
})

describe('the limiter', limits, () => {
  it('runs so many, queues so many in order of arrival, and answers 429 to the next', async t => {
    const { url, admin } = await startProcessor(t, { RUNNING_MAX: '2', QUEUED_MAX: '3' })
    await admin.setDelay(400)
    await admin.setHolding(true)
    const finished: number[] = []
    const replies: Promise<number>[] = []
    for (const [index, id] of newIds(5).entries()) {
      replies.push(
        payForStatus(url, id).then(status => {
          finished.push(index)
          return status
        })
      )
      await admin.until(({ running, queued }) => running + queued === index + 1)
    }
    const full = await admin.state()
    const refused = randomUUID()
    assert.deepEqual([full.running, full.queued, await payForStatus(url, refused)], [2, 3, 429])

    const releasedMs = performance.now()
    await admin.setHolding(false)
    assert.deepEqual(await Promise.all(replies), [200, 200, 200, 200, 200])
    assert.deepEqual(finished, [0, 1, 2, 3, 4])
    // Three waited for a place, of which there are two: a place is held during the delay.
    assert.ok(performance.now() - releasedMs >= 2 * 400 - 2)
    assert.equal((await find(url, refused)).status, 404)
    assert.equal((await admin.summary()).totalRequests, 5)
  })

  it('has 800 places and a queue of 500', async t => {
    const { url, admin } = await startProcessor(t)
    await admin.setHolding(true)
    const statuses = Promise.all(newIds(1_310).map(id => payForStatus(url, id)))
    const { running, queued } = await admin.until(({ answered }) => answered['429'] === 10)
    assert.deepEqual([running, queued], [800, 500])
    await admin.setHolding(false)
    assert.equal((await statuses).filter(status => status === 200).length, 1_300)
  })

  it('stands before payments only: lookups, health and admin calls know no delay and no failure', async t => {
    const { url, admin } = await startProcessor(t, { RUNNING_MAX: '1', QUEUED_MAX: '0' })
    const id = randomUUID()
    await pay(url, id)
    await admin.setDelay(60_000)
    await admin.setFailing(true)
    const startedMs = performance.now()
    const held = post(url, randomUUID())
    await admin.until(state => state.running === 1)
    assert.equal((await find(url, id)).status, 200)
    const health = await fetch(`${url}/payments/service-health`)
    assert.deepEqual(await health.json(), { failing: true, minResponseTime: 60_000 })
    assert.equal((await admin.summary()).totalRequests, 1)
    assert.ok(performance.now() - startedMs < 60_000)
    held.sent.destroy()
    await codeOf(held.reply)
  })
})

describe('the health limiter', limits, () => {
  it('answers one call a window, lets two hang until the windows after it, refuses the one beyond', async t => {
    // Long enough for three calls to come within one.
    const windowMs = 2_000
    const { url, admin } = await startProcessor(t, { HEALTH_WINDOW_MS: String(windowMs) })
    const ask = async () => {
      const response = await fetch(`${url}/payments/service-health`)
      return { status: response.status, body: await response.text(), atMs: performance.now() }
    }
    // Windows count from the model's start, so a first call that hangs tells where one begins.
    assert.deepEqual(
      (await Promise.all([ask(), ask()])).map(({ status }) => status),
      [200, 200]
    )
    const startedMs = performance.now()
    const [refused, ...granted] = (await Promise.all([ask(), ask(), ask()])).sort((a, b) => a.atMs - b.atMs)
    assert.equal(refused.status, 429)
    await admin.setFailing(true)
    for (const [index, { status, atMs }] of granted.entries()) {
      assert.equal(status, 200)
      assert.ok(atMs - startedMs > (index + 0.5) * windowMs, `answer ${index + 1} after ${atMs - startedMs} ms`)
    }
  })

  it('tells the state at its answer, not at the question', async t => {
    const { url, admin } = await startProcessor(t, { HEALTH_WINDOW_MS: '2000' })
    const ask = async () => (await fetch(`${url}/payments/service-health`)).json()
    await Promise.all([ask(), ask()])
    const hanging = ask()
    await admin.setFailing(true)
    await admin.setDelay(40)
    assert.deepEqual(await hanging, { failing: true, minResponseTime: 40 })
  })
})

describe('the admin API', limits, () => {
  it('wants the token, which can be changed', async t => {
    const { url, admin } = await startProcessor(t)
    const call = async (method: string, path: string, token: string, body?: unknown) => {
      const response = await fetch(url + path, {
        method,
        headers: { 'X-Rinha-Token': token },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      await response.arrayBuffer()
      return response.status
    }
    const paths = [
      ['GET', '/admin/payments-summary'],
      ['POST', '/admin/purge-payments'],
      ['PUT', '/admin/configurations/token'],
      ['PUT', '/admin/configurations/delay'],
      ['PUT', '/admin/configurations/failure'],
      ['PUT', '/admin/faults'],
      ['GET', '/admin/faults'],
      ['PUT', '/admin/hold'],
      ['GET', '/admin/state']
    ] as const
    for (const [method, path] of paths) {
      assert.equal(await call(method, path, 'wrong', method === 'PUT' ? {} : undefined), 401, path)
    }

    assert.equal(await call('PUT', '/admin/configurations/token', '123', { token: 'new' }), 204)
    assert.equal(await call('GET', '/admin/payments-summary', '123'), 401)
    assert.equal(await call('GET', '/admin/payments-summary', 'new'), 200)
    admin.token = 'new'
    assert.equal(await call('PUT', '/admin/configurations/delay', 'new', { delay: -1 }), 400)
    assert.equal(await call('PUT', '/admin/configurations/delay', 'new', { delay: 1 }), 200)
    assert.equal(await call('PUT', '/admin/configurations/failure', 'new', { failure: 'no' }), 400)
    assert.equal(await call('PUT', '/admin/configurations/failure', 'new', { failure: false }), 200)
  })

  it('sums over requestedAt with both bounds included, and over everything if one is missing', async t => {
    const { url, admin } = await startProcessor(t, { FEE: '0.15' })
    const times = ['00.999', '01.000', '03.500', '03.501'].map(seconds => `2026-07-15T12:00:${seconds}Z`)
    for (const time of times) await pay(url, randomUUID(), { amount: 0.1, requestedAt: time })
    const [, from = '', to = ''] = times
    const totals = { totalRequests: 2, totalAmount: 0.2, totalFee: 0.03, feePerTransaction: 0.15 }
    assert.deepEqual(await admin.summary({ from, to }), totals)
    for (const range of [{}, { from }, { to }]) assert.equal((await admin.summary(range)).totalRequests, 4)
    await assert.rejects(admin.summary({ from: 'yesterday', to }), /400/)
  })

  it('purges', async t => {
    const { url, admin } = await startProcessor(t, { JOURNAL: newJournal(t) })
    const id = randomUUID()
    await pay(url, id)
    await admin.purge()
    assert.equal((await find(url, id)).status, 404)
    assert.deepEqual(await admin.summary(), { totalRequests: 0, totalAmount: 0, totalFee: 0, feePerTransaction: 0.05 })
    assert.equal(await payForStatus(url, id), 200)
  })
})

describe('a fault', limits, () => {
  for (const insert of [true, false]) {
    const stored = insert ? 200 : 404

    it(`ends the connection without an answer, ${insert ? 'after' : 'before'} the insert`, async t => {
      const { url, admin } = await startProcessor(t)
      await admin.setFaults([{ kind: 'reset', insert, next: 1 }])
      const id = randomUUID()
      assert.equal(await codeOf(pay(url, id)), 'ECONNRESET')
      assert.equal((await find(url, id)).status, stored)
      assert.equal(await payForStatus(url, id), insert ? 422 : 200)
    })

    it(`answers garbage, ${insert ? 'after' : 'before'} the insert`, async t => {
      const { url, admin } = await startProcessor(t)
      await admin.setFaults([{ kind: 'garbage', insert, next: 1 }])
      const id = randomUUID()
      assert.match(await codeOf(pay(url, id)), /^HPE_/)
      assert.equal((await find(url, id)).status, stored)
    })

    it(`cuts the answer in the middle, ${insert ? 'after' : 'before'} the insert`, async t => {
      const { url, admin } = await startProcessor(t)
      await admin.setFaults([{ kind: 'cut', insert, next: 1 }])
      const id = randomUUID()
      const { sent, reply } = post(url, id)
      let status: number | undefined
      sent.on('response', response => {
        status = response.statusCode
      })
      assert.equal(await codeOf(reply), 'ECONNRESET')
      assert.equal(status, 200)
      assert.equal((await find(url, id)).status, stored)
    })

    it(`stays silent, ${insert ? 'after' : 'before'} the insert`, async t => {
      const { url, admin } = await startProcessor(t, { RUNNING_MAX: '1', QUEUED_MAX: '0' })
      await admin.setFaults([{ kind: 'silent', insert, next: 1 }])
      const id = randomUUID()
      const { sent, reply } = post(url, id)
      await admin.until(({ answered, running }) => answered.silent === 1 && running === 0)
      assert.equal((await find(url, id)).status, stored)
      // The place is free again, and still nothing came back, although a later request has its answer.
      assert.equal(await payForStatus(url, randomUUID()), 200)
      assert.equal(await Promise.race([reply, Promise.resolve('silence')]), 'silence')
      sent.destroy()
      await codeOf(reply)
    })
  }

  it('refuses with a 4xx of choice and stores nothing', async t => {
    const { url, admin } = await startProcessor(t)
    await admin.setFaults([
      { kind: 'status', status: 404, next: 1 },
      { kind: 'status', status: 451, next: 1 }
    ])
    const id = randomUUID()
    const statuses = [await payForStatus(url, id), await payForStatus(url, id), await payForStatus(url, id)]
    assert.deepEqual(statuses, [404, 451, 200])
    assert.deepEqual(await admin.faultsFired(), [1, 1])
    await assert.rejects(admin.setFaults([{ kind: 'reset', next: 1 }]), /faults\[0\]: insert/)
  })

  it('happens after the delay, and stores nothing while the processor is failing', async t => {
    const { url, admin } = await startProcessor(t)
    await admin.setDelay(100)
    await admin.setFailing(true)
    await admin.setFaults([{ kind: 'reset', insert: true, next: 1 }])
    const id = randomUUID()
    const startedMs = performance.now()
    assert.equal(await codeOf(pay(url, id)), 'ECONNRESET')
    assert.ok(performance.now() - startedMs >= 98)
    assert.equal((await find(url, id)).status, 404)
  })

  it('is a TCP reset with the front, which otherwise changes nothing', async t => {
    /** The code of the socket's error, or 'FIN' when the other side closed in good order. */
    const endOf = async (port: number): Promise<string> => {
      const body = JSON.stringify({ correlationId: randomUUID(), amount: 19.9, requestedAt })
      const socket = connect(port, '127.0.0.1')
      const ended = new Promise<string>(resolve => {
        socket.on('end', () => resolve('FIN'))
        socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
      })
      socket.resume().write(`POST /payments HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      return await ended
    }
    for (const [front, end] of [
      ['off', 'FIN'],
      ['on', 'ECONNRESET']
    ] as const) {
      const { url, port, admin } = await startProcessor(t, { FRONT: front })
      await admin.setFaults([
        { kind: 'reset', insert: true, next: 1 },
        { kind: 'garbage', insert: true, next: 1 }
      ])
      assert.equal(await endOf(port), end)
      assert.match(await codeOf(pay(url, randomUUID())), /^HPE_/)
      assert.equal(await payForStatus(url, randomUUID()), 200)
      assert.equal((await admin.summary()).totalRequests, 3)
    }
  })
})

describe('the journal', limits, () => {
  it('still knows after SIGKILL what was answered', async t => {
    const JOURNAL = newJournal(t)
    const first = await startProcessor(t, { JOURNAL })
    const ids = newIds(300)
    const answered: string[] = []
    const { promise: enough, resolve } = Promise.withResolvers<undefined>()
    const work = ids.map(async id => {
      if ((await payForStatus(first.url, id).catch(() => 0)) === 200 && answered.push(id) === 100) resolve(undefined)
    })
    await enough
    // In the middle of the other 200.
    await first.end('SIGKILL')
    await Promise.all(work)

    const second = await startProcessor(t, { JOURNAL })
    const stored = /"amount":19\.90,"requestedAt":"2026-07-15T12:34:56\.000Z"/
    for (const id of answered) assert.match((await find(second.url, id)).body, stored)
    assert.equal(await payForStatus(second.url, answered[0] ?? ''), 422)
    const { totalRequests } = await second.admin.summary()
    assert.equal(totalRequests, second.ready.bookings)
    assert.ok(totalRequests >= answered.length && totalRequests <= ids.length)
  })

  it('loses a half-written last line, which was never answered, and goes on behind the one before', async t => {
    const JOURNAL = newJournal(t)
    const first = await startProcessor(t, { JOURNAL })
    const [kept = '', later = ''] = newIds(2)
    await pay(first.url, kept)
    assert.equal(await first.end('SIGTERM'), 0)
    appendFileSync(JOURNAL, `${randomUUID()} 19`)

    const second = await startProcessor(t, { JOURNAL })
    assert.equal(second.ready.bookings, 1)
    await pay(second.url, later)
    assert.deepEqual(
      readFileSync(JOURNAL, 'utf8')
        .split('\n')
        .map(line => line.slice(0, 36)),
      [kept, later, '']
    )
  })

  it('is refused when it is none', async t => {
    const JOURNAL = newJournal(t)
    appendFileSync(JOURNAL, 'something else\n')
    await assert.rejects(startProcessor(t, { JOURNAL }), /journal:1 is not a booking/)
  })
})

describe('the process', limits, () => {
  it('ends with 0 on SIGTERM and SIGINT, also while payments wait', async t => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const { url, admin, end } = await startProcessor(t)
      await admin.setDelay(60_000)
      const waiting = post(url, randomUUID())
      await admin.until(state => state.running === 1)
      const cut = codeOf(waiting.reply)
      assert.equal(await end(signal), 0)
      assert.equal(await cut, 'ECONNRESET')
    }
  })

  it('names every bad variable, and explains all of them', async t => {
    await assert.rejects(startProcessor(t, { FEE: '5 %', RUNNING_MAX: '0' }), /FEE=.*RUNNING_MAX=/s)
    const main = join(import.meta.dirname, '../support/processor/main.ts')
    const help = spawnSync(process.execPath, [main, '--help'], { encoding: 'utf8' })
    assert.equal(help.status, 0)
    const names = ['LISTEN', 'FEE', 'TOKEN', 'JOURNAL', 'RUNNING_MAX', 'QUEUED_MAX', 'HEALTH_WINDOW_MS', 'FRONT']
    for (const name of names) {
      assert.match(help.stdout, new RegExp(`^ {2}${name}$`, 'm'))
    }
  })

  it('does not share its port with another', async t => {
    // A port that is asked for by its number could be shared, one that the model finds by itself could not.
    const LISTEN = `127.0.0.1:${await findFreePort()}`
    await startProcessor(t, { LISTEN })
    await assert.rejects(startProcessor(t, { LISTEN }), /can't listen/)
  })
})
