// Goal: each process, HAProxy included, tells its metrics at an internal address and nowhere else, in a form that
// promtool has nothing to say about, and they count what really happened.
// Method: the real pipeline, payments of each kind, every endpoint scraped before and after.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, describe, it } from 'node:test'
import { Part } from '../../compose/local/part.ts'
import { findFreePort } from '../../compose/local/ports.ts'
import { httpAnswers } from '../../compose/local/readiness.ts'
import { renderAuditResult } from '../../shared/watching/audit-result.ts'
import { eventually, PATIENCE_MS, STUCK_AFTER_MS } from '../support/eventually.ts'
import { startGateway } from '../support/gateway.ts'
import { alertQueries, panelQueries, selectorsOf } from '../support/monitoring.ts'
import { newPayment, newPayments } from '../support/payments.ts'
import { startTestPipeline } from '../support/pipeline.ts'
import { promtool } from '../support/promtool.ts'

const OURS = ['gateway-1', 'gateway-2', 'worker-1', 'monitor-1']
const metricsPorts = Object.fromEntries(
  await Promise.all(['haproxy', ...OURS].map(async part => [part, await findFreePort()] as const))
)
const pipeline = await startTestPipeline({ metricsPorts })

async function scrape(part: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${metricsPorts[part]}/metrics`)
  assert.equal(response.status, 200)
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain/)
  return await response.text()
}

/** Sample → value, as they are written: 'name{label="value"}'. */
function samplesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map(line => {
      const space = line.lastIndexOf(' ')
      return [line.slice(0, space), Number(line.slice(space + 1))]
    })
  )
}

function labelsOf(sample: string): Record<string, string> {
  return Object.fromEntries(
    [...sample.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', value = '']) => [label, value])
  )
}

const samples = async (part: string) => samplesOf(await scrape(part))

const GATEWAYS = ['gateway-1', 'gateway-2']

/** What the parts tell of these samples, added up; NaN for what one of them does not tell. */
async function sumsOf(parts: readonly string[], names: readonly string[]): Promise<Record<string, number>> {
  const all = await Promise.all(parts.map(samples))
  const sum = (name: string) => all.reduce((total, each) => total + (each.get(name) ?? NaN), 0)
  return Object.fromEntries(names.map(name => [name, sum(name)]))
}
const assertTold = async (parts: readonly string[], wanted: Record<string, number>) =>
  assert.deepEqual(await sumsOf(parts, Object.keys(wanted)), wanted)
/** For what a process tells of others, of which it learns sooner or later. */
const untilTold = (part: string, wanted: Record<string, number>) =>
  eventually(`${part} tells ${JSON.stringify(wanted)}`, async () => {
    await assertTold([part], wanted)
    return true
  })

describe('GET /metrics', { timeout: STUCK_AFTER_MS }, () => {
  it('counts what happened', async () => {
    const { default: processor, fallback } = pipeline.admins
    await Promise.all(newPayments(40).map(pipeline.pay))
    await pipeline.untilSettled()
    const duplicate = newPayment()
    for (let times = 0; times < 3; times++) await pipeline.pay(duplicate)
    const headers = { 'content-type': 'application/json' }
    await fetch(`${pipeline.stack.url}/payments`, { method: 'POST', headers, body: '{}' })
    await processor.setFaults([
      { kind: 'status', status: 429, next: 2 },
      { kind: 'status', status: 400, next: 1 }
    ])
    await fallback.setFaults([{ kind: 'status', status: 400, next: 1 }])
    await Promise.all(newPayments(5).map(pipeline.pay))
    await pipeline.untilSettled()

    await assertTold(GATEWAYS, {
      'payments_received_total{outcome="accepted"}': 46,
      'payments_received_total{outcome="duplicate"}': 2,
      'payments_received_total{outcome="invalid"}': 1,
      'payments_received_total{outcome="conflict"}': 0,
      'payments_received_total{outcome="refused"}': 0,
      payment_accept_duration_seconds_count: 48
    })
    await assertTold(['worker-1'], {
      'payment_requests_total{processor="default",status="booked"}': 45,
      'payment_requests_total{processor="default",status="not-booked"}': 2,
      'payment_requests_total{processor="default",status="rejected"}': 1,
      'payment_requests_total{processor="default",status="already-booked"}': 0,
      'payment_requests_total{processor="default",status="unknown"}': 0,
      'payment_duration_seconds_count{processor="default"}': 48,
      'payment_duration_seconds_bucket{le="+Inf",processor="default"}': 48,
      'payments_counted_total{processor="default"}': 45,
      'payment_breaker_state{processor="default",state="CLOSED"}': 1
    })
    assert(((await samples('worker-1')).get('active_connections{peer="default"}') ?? 0) > 0)
    for (const part of OURS) {
      const told = await samples(part)
      const [cpu = 0, memory = 0, lag = -1] = [
        'process_cpu_seconds_total',
        'process_resident_memory_bytes',
        'nodejs_eventloop_lag_p99_seconds'
      ].map(name => told.get(name))
      assert(cpu > 0 && memory > 1e7 && lag >= 0, `${part}: ${cpu}, ${memory}, ${lag}`)
    }
  })

  it('tells the figures of the whole system at each gateway', async () => {
    for (const part of GATEWAYS)
      await untilTold(part, {
        'payments_settled_total{processor="default"}': 45,
        payment_dead_letters: 1,
        'payments_settled_cents_total{processor="default"}': 45 * 1_990,
        payment_redis_up: 1,
        payment_queue_length: 0,
        payment_queue_oldest_age_seconds: 0,
        payments_in_flight: 0,
        payment_workers_alive: 1,
        payment_gateways_alive: 2,
        payment_health_polled: 1,
        'payment_processor_up{processor="default"}': 1,
        'payment_processor_said_to_fail{processor="fallback"}': 0,
        'payment_processor_breakers{processor="default",state="CLOSED"}': 1,
        payment_problems: 1
      })
  })

  it("tells what of Redis's memory each part takes, all of it together", async () => {
    for (const part of GATEWAYS) {
      await eventually(`${part} has weighed Redis since the payments`, async () => {
        const told = await samples(part)
        const [queue = 0, ids = 0, totals = 0, other = 0] = ['queue', 'ids', 'totals', 'other'].map(name =>
          told.get(`payment_redis_memory_bytes{part="${name}"}`)
        )
        return ids > 0 && totals > 0 && queue + ids + totals + other === told.get('payment_redis_memory_used_bytes')
      })
    }
  })

  it('counts polls of health that fail', async () => {
    await pipeline.admins.fallback.setFailing(true)
    await untilTold('monitor-1', {
      'health_check_failures_total{processor="fallback"}': 1,
      'health_check_failures_total{processor="default"}': 0,
      health_monitor_active: 1
    })
  })

  it("tells HAProxy's own, and nothing but metrics there", async () => {
    const haproxy = await samples('haproxy')
    assert([...haproxy.keys()].some(name => name.startsWith('haproxy_frontend_http_requests_total{proxy="clients"')))
    assert.equal((await fetch(`http://127.0.0.1:${metricsPorts.haproxy}/payments-summary`)).status, 404)
  })

  it('come through HAProxy for processes that only a socket reaches, where it is configured', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'metrics-'))
    after(() => rm(folder, { recursive: true, force: true }))
    const socket = join(folder, 'metrics-gateway-3.sock')
    const gateway = await startGateway(`unix:${pipeline.stack.redisPath}`, {
      METRICS_LISTEN: `unix:${socket}`,
      NAME: 'gateway-3'
    })
    const [port, metricsPort] = [await findFreePort(), await findFreePort()]
    const ask = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${metricsPort}${path}`)
      return { status: response.status, text: await response.text() }
    }
    const door = new Part({
      name: 'door',
      command: 'haproxy',
      arguments: ['-db', '-f', resolve('haproxy/haproxy.cfg')],
      workingDirectory: folder,
      logPath: join(folder, 'door.log'),
      environment: {
        PATH: process.env.PATH ?? '',
        BIND: `127.0.0.1:${port}`,
        GATEWAY_1: `unix@${gateway.socketPath}`,
        METRICS_BIND: `127.0.0.1:${metricsPort}`,
        METRICS_GATEWAY_1: `unix@${socket}`,
        METRICS_PROCESSOR_WORKER: `127.0.0.1:${metricsPorts['worker-1']}`,
        METRICS_HEALTH_MONITOR: `unix@${folder}/nobody.sock`
      },
      stopSignal: 'SIGTERM',
      isReady: () => httpAnswers(`http://127.0.0.1:${metricsPort}/metrics`),
      readyTimeoutMs: PATIENCE_MS
    })
    after(() => door.stop())
    await door.start()

    for (const [path, sample] of [
      ['/metrics', /^haproxy_frontend_status{proxy="metrics",state="UP"} 1$/m],
      ['/metrics/gateway-1', /^payment_accept_duration_seconds_count 0$/m],
      ['/metrics/processor-worker', /^payment_duration_seconds_count{processor="default"} \d+$/m]
    ] as const)
      assert.match((await ask(path)).text, sample)
    assert.equal((await ask('/metrics/health-monitor')).status, 503)
    for (const path of ['/metrics/gateway-2', '/metrics/clients', '/metrics/', '/', '/status', '/payments-summary'])
      assert.equal((await ask(path)).status, 404, path)
    // Nothing of it where clients connect.
    for (const path of ['/metrics', '/metrics/gateway-1'])
      assert.equal((await fetch(`http://127.0.0.1:${port}${path}`)).status, 404, path)
    gateway.kill('SIGTERM')
    await gateway.exited
  })

  it('has every metric that the alerts and the dashboard ask for, with such labels', async () => {
    // Only a whole audit leaves something to tell.
    await pipeline.redis.hset(
      pipeline.keys.audit,
      renderAuditResult({
        atMs: Date.now(),
        kind: 'deep',
        untilMs: Date.now(),
        differences: { default: { payments: 0n, cents: 0n }, fallback: { payments: -1n, cents: -5n } },
        differingPayments: 1,
        notCompared: { payments: 2, oldestSentAtMs: Date.now() - 120_000 },
        oneByOne: { compared: 40, of: 60 }
      })
    )
    await untilTold('gateway-1', {
      'payment_books_difference_payments{processor="fallback"}': -1,
      'payment_books_difference_cents{processor="fallback"}': -5,
      payment_audit_not_compared_payments: 2,
      payment_audit_differing_payments: 1
    })
    const system = await samples('gateway-1')
    assert.equal(Math.round(system.get('payment_audit_not_compared_oldest_age_seconds') ?? 0), 120)
    assert((system.get('payment_audit_timestamp_seconds') ?? 0) > 1.7e9)
    const text = (await Promise.all(['haproxy', ...OURS].map(scrape))).join('\n')
    const told = [...samplesOf(text).keys()].map(sample => ({ name: sample.split('{')[0], labels: labelsOf(sample) }))
    // What Prometheus adds, and what there is only under a CPU quota or with a limit of Redis's memory.
    const others = /^(up|ALERTS)$/
    const sometimes = /^(cgroup_cpu_\w+|payment_redis_memory_max_bytes)$/
    const queries = [...alertQueries(), ...panelQueries()]
    const selectors = queries.flatMap(selectorsOf).filter(({ metric }) => !others.test(metric))
    assert(selectors.length > 80, `${selectors.length}`)
    for (const { metric, labels } of selectors) {
      const isTold = told.some(
        ({ name, labels: given }) =>
          name === metric && Object.entries(labels).every(([label, wanted]) => wanted.test(given[label] ?? ''))
      )
      const isKnown = sometimes.test(metric) && text.includes(`# TYPE ${metric} `)
      assert(isTold || isKnown, `${metric} ${Object.entries(labels).join(' ')}`)
    }
  })

  it('is nowhere else: not where clients connect, and no other path or method there', async () => {
    assert.equal((await pipeline.get('/metrics')).status, 404)
    const worker = `http://127.0.0.1:${metricsPorts['worker-1']}`
    assert.equal((await fetch(`${worker}/status`)).status, 404)
    assert.equal((await fetch(`${worker}/metrics`, { method: 'POST' })).status, 405)
  })

  it('leaves out what only Redis knows while Redis is away', async () => {
    const redis = pipeline.stack.part('redis')
    redis.kill('SIGSTOP')
    try {
      await untilTold('gateway-1', { payment_redis_up: 0 })
      const without = await samples('gateway-1')
      const fromRedis = ['payment_queue_length', 'payments_settled_total{processor="default"}', 'payment_workers_alive']
      for (const name of fromRedis) assert(!without.has(name), name)
      assert(without.has('payments_received_total{outcome="accepted"}'))
    } finally {
      redis.kill('SIGCONT')
    }
    await untilTold('gateway-1', { payment_queue_length: 0 })
  })

  for (const part of OURS) {
    it(`promtool finds nothing to say about ${part}`, async () =>
      assert.deepEqual(promtool(['check', 'metrics'], await scrape(part)), { isFine: true, output: '' }))
  }
})
