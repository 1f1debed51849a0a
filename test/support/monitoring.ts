import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const MONITORING = resolve(import.meta.dirname, '../../compose/monitoring')

/** What a query asks for: a metric, and what it wants of labels, e.g. { outcome: /^(?:refused)$/ }. */
export type Selector = { metric: string; labels: Record<string, RegExp> }

export type Panel = {
  id: number
  type: string
  title: string
  datasource?: unknown
  targets?: { expr: string; datasource: unknown }[]
}

export type Dashboard = {
  title: string
  templating: { list: { name: string; type: string }[] }
  panels: Panel[]
  annotations: { list: { expr: string }[] }
}

export function readDashboard(): Dashboard {
  return JSON.parse(readFileSync(join(MONITORING, 'grafana-dashboard.json'), 'utf8')) as Dashboard
}

/** The queries of all panels, with an interval where Grafana would choose one. */
export function panelQueries(): string[] {
  const exprs = readDashboard().panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  return exprs.map(expr => expr.replaceAll('$__rate_interval', '1m'))
}

/** The queries of all alerts; each stands on one line there. */
export function alertQueries(): string[] {
  return [...readFileSync(join(MONITORING, 'alerts.yml'), 'utf8').matchAll(/^ {8}expr: (.+)$/gm)].map(
    ([, expr = '']) => expr
  )
}

/**
 * Every metric that a query reads. Knows as much of PromQL as our queries use: neither comments nor single quotes nor
 * offsets.
 */
export function selectorsOf(query: string): Selector[] {
  const withoutLabelLists = query
    .replaceAll(/\b(by|without|on|ignoring)\s*\([^)]*\)/g, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ')
  // A name with its matchers, or one that no parenthesis follows: those are functions.
  const names = [...withoutLabelLists.matchAll(/([a-zA-Z_]\w*)(?:\{([^}]*)\}|(?!\w|\s*\())/g)]
  return names
    .filter(([, name = '']) => !/^(and|or|unless|bool)$/.test(name))
    .map(([, metric = '', matchers = '']) => {
      const labels = [...matchers.matchAll(/(\w+)=~?"([^"]*)"/g)].map(
        ([, label = '', value = '']) => [label, new RegExp(`^(?:${value})$`)] as const
      )
      return { metric, labels: Object.fromEntries(labels) }
    })
}
