// Goal: whatever the head of a compose file says can be set does reach the services that read it, and nothing else can
// be set.
// Method: the names in the head are compared with those that the file takes from the environment, and the
// settings of a service with the lines of `environment` that pass them on.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { GATEWAY_VARIABLES } from '../../gateway/variables.ts'
import { MONITOR_VARIABLES } from '../../health-monitor/variables.ts'
import { WORKER_VARIABLES } from '../../processor-worker/variables.ts'
import type { Variables } from '../../shared/environment.ts'
import { SERVICE_VARIABLES } from '../../shared/variables.ts'

const NAME = /\b[A-Z]+(?:_[A-Z]+)*\b/

function read(name: string): { head: string; body: string } {
  const lines = readFileSync(join(import.meta.dirname, '..', '..', 'compose', name), 'utf8').split('\n')
  const end = lines.findIndex(line => !line.startsWith('#'))
  return { head: lines.slice(0, end).join('\n'), body: lines.slice(end).join('\n') }
}

/** What the head says can be set, with its default: rows of a table, or "NAME (default)" in a sentence. */
function documented(head: string): Map<string, string> {
  const [, list = ''] = head.split('From the environment')
  const rows = list.matchAll(new RegExp(String.raw`^#   (${NAME.source}) +(\S+?)[;:,]?(?= |$)`, 'gm'))
  const inSentence = list.matchAll(new RegExp(String.raw`(${NAME.source}) \(([^)]+)\)`, 'g'))
  return new Map([...rows, ...inSentence].map(([, name = '', standard = '']) => [name, standard]))
}

/** What the file takes from the environment, with its default. */
function taken(body: string): Map<string, string> {
  return new Map(
    [...body.matchAll(/\$\{([A-Z_]+):-([^}]*)\}/g)].map(([, name = '', standard = '']) => [name, standard || 'unset'])
  )
}

/** The environment of what YAML calls `&anchor`, and of a service without one. */
function environmentOf(body: string, anchor: string): Map<string, string> {
  const [, block = ''] = new RegExp(String.raw`environment: &${anchor}\n((?: {6}.*\n)+)`).exec(body) ?? []
  return new Map([...block.matchAll(/^ {6}([A-Z_]+): (.*)$/gm)].map(([, name = '', value = '']) => [name, value]))
}

for (const file of ['docker-compose.yml', 'processors.yml', 'monitoring/docker-compose.yml']) {
  describe(`compose/${file}`, () => {
    const { head, body } = read(file)

    it('takes from the environment what its head says, with the same defaults, and nothing else', () => {
      assert(documented(head).size >= 2)
      assert.deepEqual(new Map([...documented(head)].sort()), new Map([...taken(body)].sort()))
      assert(!/\$\{(?![A-Z_]+:-)/.test(body), 'each has a default')
    })
  })
}

describe('compose/docker-compose.yml', () => {
  const { head, body } = read('docker-compose.yml')
  const services: [anchor: string, variables: Variables][] = [
    ['gateway-environment', { ...GATEWAY_VARIABLES, ...SERVICE_VARIABLES }],
    ['worker-environment', { ...WORKER_VARIABLES, ...MONITOR_VARIABLES, ...SERVICE_VARIABLES }]
  ]

  it('passes each setting of a service on to it under its own name', () => {
    for (const [anchor, variables] of services) {
      const environment = environmentOf(body, anchor)
      const names = Object.values(variables)
        .map(({ name }) => name)
        .filter(name => documented(head).has(name))
      assert(names.length >= 2, anchor)
      for (const name of names) {
        const passedOn = new RegExp(String.raw`^"\$\{${name}:-[^}]*\}"$`)
        assert.match(environment.get(name) ?? 'missing', passedOn, `${anchor}: ${name}`)
      }
    }
  })

  it("has the services' own defaults", () => {
    for (const variable of services.flatMap(([, each]) => Object.values(each))) {
      const standard = documented(head).get(variable.name)
      if (standard !== undefined) assert.equal(standard === 'unset' ? '' : standard, variable.default, variable.name)
    }
  })

  it('can be told who may purge', () => {
    // Whoever can open the purge must be able to close it to strangers.
    assert(documented(head).has('PURGE') && documented(head).has('PURGE_TOKEN'))
  })
})
