// Goal: whoever is woken up at night finds in docs/operating.md only what exists: scripts, files, keys, metrics,
// variables, and sentences that the status really says.
// Method: the text is searched for each of them. A sentence is taken apart into pieces of the source that makes it;
// what is left over may be nothing but names, numbers and times.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { GATEWAY_VARIABLES } from '../../gateway/variables.ts'
import { MONITOR_VARIABLES } from '../../health-monitor/variables.ts'
import { AUDIT_VARIABLES } from '../../processor-worker/commands/settings.ts'
import { WORKER_VARIABLES } from '../../processor-worker/variables.ts'
import { createKeys } from '../../shared/keys.ts'
import type { Variables } from '../../shared/environment.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const text = read('docs/operating.md')
const found = (pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map(([, one]) => one ?? ''))]

/** The literal pieces of what makes sentences. */
const PIECES = ['watching/status/problems.ts', 'watching/status/source.ts', 'refusal.ts', 'http/problem.ts']
  .flatMap(path => read(`gateway/${path}`).split(/[`'{}$\n]/))
  .filter(piece => piece.trim().length > 1)
const VARIABLE =
  /(?:default|fallback|(?:gateway|worker|monitor)-\d+|OPEN|HALF_OPEN|allkeys-lru|UTC|MB|min|s|\d{4}-\d\d-\d\d|[\d.,:)` ])/y

/** Whether it can be put together of pieces, names, numbers and times. */
function isSaid(sentence: string): boolean {
  const reached = new Set([0])
  for (let at = 0; at < sentence.length; at++) {
    if (!reached.has(at)) continue
    for (const piece of PIECES) if (sentence.startsWith(piece, at)) reached.add(at + piece.length)
    VARIABLE.lastIndex = at
    const [variable] = VARIABLE.exec(sentence) ?? []
    if (variable !== undefined) reached.add(at + variable.length)
  }
  return reached.has(sentence.length)
}

const sections = found(/^## (.*)$/gm)

describe('docs/operating.md', () => {
  it('names scripts, files and keys that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    for (const name of [...found(/npm run ([\w:]+)/g), 'start']) assert(name in scripts, name)
    const paths = found(/`((?:test|compose|shared|docs)\/[\w./-]+\.\w+)`/g)
    const compiled = found(/node ([\w./-]+)\.js/g).map(path => `${path}.ts`)
    for (const path of [...paths, ...compiled]) assert(existsSync(join(ROOT, path)), path)
    const keys = Object.values(createKeys()).map(key =>
      typeof key === 'string' ? key : (key as (...parts: string[]) => string)('default', 'requests', '')
    )
    const isKey = (name: string) => keys.some(known => known === name || known.startsWith(`${name}:`))
    for (const key of found(/(\{payments\}:[a-z-]+)/g)) assert(isKey(key), key)
  })

  it('names metrics and variables that exist', () => {
    const metrics = found(/`(payments?_\w+)`/g)
    const sources = [
      'gateway/watching/metrics.ts',
      'gateway/watching/system-metrics.ts',
      'processor-worker/watching/metrics.ts',
      'health-monitor/metrics.ts'
    ]
    const source = sources.map(read).join('\n')
    assert(metrics.length > 5)
    for (const name of metrics) assert(source.includes(`'${name}'`), name)
    const services: Variables[] = [GATEWAY_VARIABLES, WORKER_VARIABLES, MONITOR_VARIABLES, AUDIT_VARIABLES]
    const others = [
      ...read('compose/local/start-settings.ts').matchAll(/'([A-Z_]{4,})'/g),
      ...read('haproxy/haproxy.cfg').matchAll(/\$\{([A-Z_]+)\}/g)
    ].map(([, name]) => name)
    const known = new Set([...services.flatMap(Object.values).map(({ name }: { name: string }) => name), ...others])
    for (const name of found(/`([A-Z]+(?:_[A-Z]+)+)(?:=\w+)?`/g)) assert(known.has(name), name)
  })

  it('quotes nothing that the status does not say', () => {
    const quoted = found(/^> (.*)$/gm)
    assert(quoted.length > 10)
    for (const sentence of quoted) assert(isSaid(sentence), sentence)
  })

  it('would notice a sentence that has changed', () => {
    for (const sentence of [
      'Redis is quite full, 13.8 MB of 13.7 MB: new payments get 503 until some are settled, which goes on.',
      '4 dead letters rest: payments that both processors refused for good, or entries of the queue that were no payment. `npm run redrive` shows them.'
    ])
      assert(!isSaid(sentence), sentence)
  })
})

// The links of documents are followed by links.test.ts.
it('each alert names a section of docs/operating.md', () => {
  const anchors = sections.map(title => title.toLowerCase().replaceAll(' ', '-'))
  for (const [, anchor = ''] of read('compose/monitoring/alerts.yml').matchAll(/operating\.md#([\w-]+)/g))
    assert(anchors.includes(anchor), anchor)
})
