// Goal: whoever is woken up at night finds in docs/operating.md only what exists: scripts, files, keys, metrics,
// variables, and sentences that the status really says.
// Method: the text is searched for each of them. A sentence is taken apart into pieces of the source that makes it;
// what is left over may be nothing but names, numbers and times.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { GATEWAY_VARIABLES } from '../../gateway/config.ts'
import { MONITOR_VARIABLES } from '../../health-monitor/config.ts'
import { AUDIT_VARIABLES } from '../../processor-worker/commands/settings.ts'
import { WORKER_VARIABLES } from '../../processor-worker/config.ts'
import { createKeys } from '../../shared/keys.ts'
import type { Variables } from '../../shared/config.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const text = read('docs/operating.md')
const found = (pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map(([, one]) => one ?? ''))]

/** The literal pieces of what makes sentences. */
const PIECES = [
  'gateway/watching/status/problems.ts',
  'gateway/watching/status/source.ts',
  'gateway/refusal.ts',
  'gateway/http/problem.ts'
]
  .flatMap(path => read(path).split(/[`'{}$\n]/))
  .filter(piece => piece.trim().length > 1)
const VARIABLE =
  /(?:default|fallback|(?:gateway|worker|monitor)-\d+|OPEN|HALF_OPEN|allkeys-lru|UTC|MB|min|s|\d{4}-\d\d-\d\d|[\d.,:` ])/y

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

describe('docs/operating.md', () => {
  it('has the sections that others link to', () => {
    const sections = [
      'The queue grows',
      'A processor flaps or fails',
      'The books differ',
      'Redis fills',
      'Restart a part',
      'Dead letters',
      'Upgrade'
    ]
    assert.deepEqual(found(/^## (.*)$/gm), sections)
  })

  it('names scripts, files and keys that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    for (const name of [...found(/npm run ([\w:]+)/g), 'start']) assert(name in scripts, name)
    for (const path of [
      ...found(/`((?:test|compose|shared|docs)\/[\w./-]+\.\w+)`/g),
      ...found(/\]\(([\w./-]+)\)/g).map(name => `docs/${name}`)
    ]) {
      assert(existsSync(join(ROOT, path)), path)
    }
    for (const compiled of found(/node ([\w./-]+)\.js/g)) assert(existsSync(join(ROOT, `${compiled}.ts`)), compiled)
    const keys = Object.values(createKeys()).map(key =>
      typeof key === 'string' ? key : (key as (...parts: string[]) => string)('default', 'requests', '')
    )
    for (const key of found(/(\{payments\}:[a-z-]+)/g))
      assert(
        keys.some(known => known === key || known.startsWith(`${key}:`)),
        key
      )
  })

  it('names metrics and variables that exist', () => {
    const sources = [
      'gateway/watching/metrics.ts',
      'gateway/watching/system-metrics.ts',
      'processor-worker/watching/metrics.ts',
      'health-monitor/metrics.ts'
    ]
      .map(read)
      .join()
    const metrics = found(/`(payments?_\w+)`/g)
    assert(metrics.length > 5)
    for (const name of metrics) assert(sources.includes(`'${name}'`), name)
    const services: Variables[] = [GATEWAY_VARIABLES, WORKER_VARIABLES, MONITOR_VARIABLES, AUDIT_VARIABLES]
    const known = services.flatMap(Object.values).map(({ name }: { name: string }) => name)
    const others = [
      ...read('compose/local/start-settings.ts').matchAll(/'([A-Z_]{4,})'/g),
      ...read('haproxy/haproxy.cfg').matchAll(/\$\{([A-Z_]+)\}/g)
    ].map(([, name]) => name ?? '')
    for (const name of found(/`([A-Z]+(?:_[A-Z]+)+)(?:=\w+)?`/g)) assert([...known, ...others].includes(name), name)
  })

  it('quotes nothing that the status does not say', () => {
    const quoted = found(/^> (.*)$/gm)
    assert(quoted.length > 10)
    for (const sentence of quoted) assert(isSaid(sentence), sentence)
  })

  it('would notice a sentence that has changed', () => {
    assert(
      !isSaid('Redis is quite full, 13.8 MB of 13.7 MB: new payments get 503 until some are settled, which goes on.')
    )
    assert(
      !isSaid(
        '4 dead letters rest: payments that both processors refused for good, or entries of the queue that were no payment. `npm run redrive` shows them.'
      )
    )
  })
})

it('each other document and each alert that links to a section of docs/operating.md finds it', () => {
  const anchors = found(/^## (.*)$/gm).map(title => title.toLowerCase().replaceAll(' ', '-'))
  for (const document of [
    'README.md',
    'compose/monitoring/alerts.yml',
    ...readdirSync(join(ROOT, 'docs'))
      .filter(name => name.endsWith('.md'))
      .map(name => `docs/${name}`)
  ]) {
    for (const [, anchor = ''] of read(document).matchAll(/operating\.md#([\w-]+)/g))
      assert(anchors.includes(anchor), `${document}: ${anchor}`)
  }
})
