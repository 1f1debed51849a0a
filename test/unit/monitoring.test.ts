// Goal: Prometheus accepts its configuration, the alerts fire when they should and only then, and Grafana's dashboard
// is whole.
// Method: promtool, on the files as they are; alerts.test.yml has the cases of the alerts.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { alertQueries, MONITORING, panelQueries, readDashboard, selectorsOf } from '../support/monitoring.ts'
import { promtool } from '../support/promtool.ts'

const folder = mkdtempSync(join(tmpdir(), 'monitoring-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function assertFine(words: readonly string[]): void {
  const { isFine, output } = promtool(words)
  assert(isFine && !/warning|FAILED/i.test(output), output)
}

describe('compose/monitoring/prometheus.yml', () => {
  it('is accepted, with the targets of npm start', () =>
    assertFine(['check', 'config', join(MONITORING, 'prometheus.yml')]))

  it('is accepted with those of the containers, which have the same roles', () => {
    cpSync(MONITORING, folder, { recursive: true })
    cpSync(join(MONITORING, 'targets-compose.yml'), join(folder, 'targets.yml'))
    assertFine(['check', 'config', join(folder, 'prometheus.yml')])
    const roles = (file: string) =>
      [...readFileSync(join(MONITORING, file), 'utf8').matchAll(/role: (\w+)/g)].map(([, role]) => role)
    assert.deepEqual(roles('targets-compose.yml'), roles('targets.yml'))
    assert.equal(roles('targets.yml').length, 5)
  })
})

describe('compose/monitoring/alerts.yml', () => {
  const text = readFileSync(join(MONITORING, 'alerts.yml'), 'utf8')
  const alerts = text.split(/^ {6}- alert: /m).slice(1)

  it('is accepted', () => {
    assertFine(['check', 'rules', join(MONITORING, 'alerts.yml')])
    assert.equal(alertQueries().length, alerts.length)
  })

  it('fires when it should, and only then', () =>
    assertFine(['test', 'rules', join(import.meta.dirname, 'alerts.test.yml')]))

  for (const alert of alerts) {
    const [name = ''] = alert.split('\n')
    it(`${name} has a case, says what is wrong and what to do`, () => {
      assert.match(alert, /severity: (critical|warning)}/)
      for (const annotation of ['summary: ".{15,}"', 'description: ".{60,}"', 'runbook: docs/operating\\.md#[a-z-]+'])
        assert.match(alert, new RegExp(annotation))
      assert(readFileSync(join(import.meta.dirname, 'alerts.test.yml'), 'utf8').includes(name))
    })
  }
})

describe('compose/monitoring/grafana-dashboard.json', () => {
  const { panels, templating, annotations } = readDashboard()
  const charts = panels.filter(({ type }) => type !== 'row')

  it('lets the user choose the Prometheus, and asks no other', () => {
    const variables = templating.list.map(({ name, type }) => `${name}: ${type}`)
    assert.deepEqual(variables, ['datasource: datasource'])
    const wanted = { type: 'prometheus', uid: '${datasource}' }
    for (const { title, datasource, targets = [] } of charts) {
      assert(targets.length > 0, title)
      for (const each of [datasource, ...targets.map(target => target.datasource)])
        assert.deepEqual(each, wanted, title)
    }
  })

  it('has a title and a number of its own for each panel', () => {
    assert(charts.length > 20)
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    assert.equal(new Set(panels.map(({ title, type }) => `${type} ${title}`)).size, panels.length)
  })

  it('has queries that Prometheus can parse', () => {
    const queries = [...panelQueries(), ...annotations.list.map(({ expr }) => expr)]
    const rules = queries.map((expr, index) => ({ record: `panel:${index}`, expr }))
    const path = join(folder, 'panels.yml')
    // JSON is YAML as well.
    writeFileSync(path, JSON.stringify({ groups: [{ name: 'panels', rules }] }))
    assertFine(['check', 'rules', path])
  })
})

describe('the reader of queries', () => {
  const read = (query: string) =>
    selectorsOf(query).map(({ metric, labels }) => [metric, ...Object.entries(labels).map(String)].join(' '))

  it('finds metrics and their labels, no functions, no words of PromQL', () => {
    for (const [query, ...selectors] of [
      ['histogram_quantile(0.99, sum by (le, instance) (rate(a_bucket[5m]))) > 0.1', 'a_bucket'],
      ['max(a) / max by (processor) (b{x="y",z=~"1|2"}) > 26 * 3600', 'a', 'b x,/^(?:y)$/ z,/^(?:1|2)$/'],
      ['max(a) > 26 * 3600 or absent(c) and d', 'a', 'c', 'd'],
      ['time() - max(t)', 't']
    ] as const)
      assert.deepEqual(read(query), selectors)
  })
})
