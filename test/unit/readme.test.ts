// Goal: docs/configuration.md lists what the services, `npm start`, the compose files and the commands really read, and
// the README is short enough to be read.
// Method: each section of the page is a set of rows that begin with a variable's name; the same set is made from what
// the programs declare, and must be equal.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { START_VARIABLES } from '../../compose/local/start-settings.ts'
import { GATEWAY_RULES, GATEWAY_VARIABLES } from '../../gateway/variables.ts'
import { MONITOR_VARIABLES } from '../../health-monitor/variables.ts'
import { AUDIT_VARIABLES, COMMAND_VARIABLES } from '../../processor-worker/commands/settings.ts'
import { WORKER_VARIABLES } from '../../processor-worker/variables.ts'
import type { Variable, Variables } from '../../shared/environment.ts'
import { SERVICE_VARIABLES } from '../../shared/variables.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const page = read('docs/configuration.md')

/** What reads a variable, by the title of its section. */
const SERVICES: Record<string, Variables> = {
  Gateway: GATEWAY_VARIABLES,
  Worker: WORKER_VARIABLES,
  'Health monitor': MONITOR_VARIABLES
}
const variables = new Map(
  [SERVICE_VARIABLES as Variables, ...Object.values(SERVICES)]
    .flatMap(Object.values)
    .map((one: Variable<unknown>) => [one.name, one])
)

function sectionOf(name: string): string {
  if (Object.values(SERVICE_VARIABLES).some(variable => variable.name === name)) return 'Every service'
  const readers = Object.keys(SERVICES).filter(title =>
    Object.values(SERVICES[title] ?? {}).some(variable => variable.name === name)
  )
  return readers.join(' and ').replace('Health monitor', readers.length > 1 ? 'health monitor' : 'Health monitor')
}

/** The rows of a section, by the name of their variable. */
function rowsOf(title: string): Map<string, string> {
  const section = page.split(/^## /m).find(text => text.startsWith(`${title}\n`))
  assert(section !== undefined, `there is no section ${title}`)
  const rows = [...section.matchAll(/^\| `([A-Z_]+)` \|.*$/gm)].map(([row, name = '']): [string, string] => [name, row])
  assert.equal(new Set(rows.map(([name]) => name)).size, rows.length, `${title}: a variable stands there twice`)
  return new Map(rows)
}

const shown = (standard: string) => (standard === '' ? 'unset' : `\`${standard}\``)
const namesOf = (record: Variables) => Object.values(record).map(({ name }) => name)

function assertRow(row: string | undefined, { name, default: standard, wants, about }: Variable<unknown>): void {
  assert(row !== undefined, `${name} is missing`)
  assert.equal(row, `| \`${name}\` | ${shown(standard)} | ${wants} | ${about} |`)
}

describe('docs/configuration.md', () => {
  const titles = ['Every service', 'Gateway', 'Worker and health monitor', 'Worker', 'Health monitor']

  it('has every variable in the table of who reads it, with its default, its range and its meaning', () => {
    for (const variable of variables.values()) assertRow(rowsOf(sectionOf(variable.name)).get(variable.name), variable)
  })

  it('has no variable that nobody reads, and none in another table', () => {
    const all = titles.flatMap(title => [...rowsOf(title).keys()].map(name => ({ title, name })))
    for (const { title, name } of all)
      assert.equal(variables.has(name) ? sectionOf(name) : 'nobody reads it', title, name)
  })

  it('has what npm start reads, and nothing else', () => {
    const rows = rowsOf('npm start')
    for (const variable of Object.values(START_VARIABLES)) assertRow(rows.get(variable.name), variable)
    assert.deepEqual([...rows.keys()].sort(), namesOf(START_VARIABLES).sort())
  })

  it('has what the compose files take from the environment, with its default and the file, and nothing else', () => {
    const wanted = new Map<string, { standard: string; files: string[] }>()
    for (const file of [
      'compose/docker-compose.yml',
      'compose/processors.yml',
      'compose/monitoring/docker-compose.yml'
    ]) {
      const body = read(file)
        .split('\n')
        .filter(line => !line.trimStart().startsWith('#'))
        .join('\n')
      for (const [, name = '', standard = ''] of body.matchAll(/\$\{([A-Z_]+):-([^}]*)\}/g)) {
        const files = wanted.get(name)?.files ?? []
        wanted.set(name, { standard, files: [...new Set([...files, `\`${file}\``])] })
      }
    }
    const rows = [...wanted].map(([name, { standard, files }]): [string, string] => [
      name,
      `| \`${name}\` | ${shown(standard)} | ${files.join(', ')} |`
    ])
    assert.deepEqual(
      rowsOf('Compose'),
      new Map(
        [...rowsOf('Compose').keys()].map(name => rows.find(([one]) => one === name) ?? [name, 'nobody takes it'])
      )
    )
    assert.equal(rowsOf('Compose').size, wanted.size)
  })

  it('has what the commands read', () => {
    const rows = rowsOf('Commands')
    const rowsFor = (command: string) =>
      [...rows]
        .filter(([, row]) => row.split(' | ')[1]?.includes(`\`${command}\``))
        .map(([name]) => name)
        .sort()
    assert.deepEqual(rowsFor('audit'), namesOf(AUDIT_VARIABLES).sort())
    assert.deepEqual(rowsFor('redrive'), namesOf(COMMAND_VARIABLES).sort())
    for (const { name, default: standard } of Object.values(AUDIT_VARIABLES)) {
      // The full path is another one in each clone.
      if (name !== 'REDIS_URL') assert(rows.get(name)?.includes(`| ${shown(standard)} |`), name)
    }
  })

  it('says which settings can contradict each other', () => {
    const readable = { ...GATEWAY_VARIABLES, ...SERVICE_VARIABLES }
    const rules = GATEWAY_RULES.map(({ between }) => between.map(key => readable[key].name))
    const [head = ''] = page.split(/^## /m)
    const lines = head.split('\n').filter(line => line.startsWith('- '))
    for (const names of rules)
      assert(
        lines.some(line => names.every(name => line.includes(`\`${name}\``))),
        names.join()
      )
  })
})

describe('README.md', () => {
  const lines = read('README.md').trimEnd().split('\n')

  it('has at most 130 lines of at most 120 characters', () => {
    assert(lines.length <= 130, `${lines.length} lines`)
    for (const line of lines) assert(line.length <= 120, line)
  })

  it('names commands that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    for (const page of ['README.md', 'docs/commands.md', 'CONTRIBUTING.md']) {
      for (const [, name = ''] of read(page).matchAll(/npm run ([a-z][\w:]*)/g))
        assert(name in scripts, `${page}: ${name}`)
    }
  })
})
