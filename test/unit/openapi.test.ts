// Goal: docs/openapi.yaml is a valid description that tools can read, and its examples are what it describes.
// Method: the official schema of OpenAPI 3.1 judges the document; each schema is compiled in ajv's strict mode, each
// example validated. Whether the server answers so: test/pipeline/openapi.test.ts.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readOpenApi, type Answer, type Content, type Response } from '../support/openapi.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const api = readOpenApi()
const { document, text } = api

/** What is wrong with the examples of a body. */
function badExamples(content: Content = {}): string[] {
  return Object.values(content).flatMap(({ schema, examples = {} }) =>
    Object.entries(examples).flatMap(([name, { value }]) => {
      const problem = api.problemWith(schema, value)
      return problem === undefined ? [] : [`${name}: ${problem}`]
    })
  )
}

describe('docs/openapi.yaml', () => {
  it('is OpenAPI 3.1', async () => assert.deepEqual(await api.faults(), []))

  it('has schemas that mean something: each keyword is known, each reference leads somewhere', () => {
    for (const name of Object.keys(document.components.schemas ?? {}))
      api.problemWith({ $ref: `#/components/schemas/${name}` }, null)
    for (const [, reference = ''] of text.matchAll(/\$ref: '([^']+)'/g)) api.resolve({ $ref: reference })
  })

  it('uses all that it defines', () => {
    for (const [kind, parts] of Object.entries(document.components)) {
      for (const name of Object.keys(parts)) {
        const isUsed =
          kind === 'securitySchemes' ? text.includes(`- ${name}:`) : text.includes(`'#/components/${kind}/${name}'`)
        assert(isUsed, `${kind}/${name}`)
      }
    }
  })

  it('names each operation once, and describes each answer', () => {
    const operations = api.operations()
    assert.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length)
    for (const { operation } of operations) {
      for (const part of Object.values(operation.responses))
        assert.match(api.resolve<Response>(part).description, /^.+\.$/)
    }
  })

  it('has examples that it would accept', () => {
    for (const { path, operation } of api.operations()) {
      for (const { name, schema, example } of operation.parameters ?? []) {
        if (example !== undefined) assert.equal(api.problemWith(schema, example), undefined, `${path} ${name}`)
      }
      const bodies = [
        operation.requestBody?.content,
        ...Object.values(operation.responses).map(part => api.resolve<Response>(part).content)
      ]
      for (const content of bodies) assert.deepEqual(badExamples(content), [], path)
    }
  })

  it('has the paths that docs/api.md has, and the version of package.json', () => {
    const page = readFileSync(join(ROOT, 'docs', 'api.md'), 'utf8')
    const told = [...page.matchAll(/^## (GET|POST) (\S+)$/gm)].map(([, method = '', path = '']) => `${method} ${path}`)
    // Not where clients connect.
    const isPublic = (one: string) => one !== 'GET /metrics'
    const described = api.operations().map(({ method, path }) => `${method.toUpperCase()} ${path}`)
    assert.deepEqual(described.sort(), told.filter(isPublic).sort())
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    assert.equal(document.info.version, version)
  })
})

describe('this test', () => {
  const problem = { $ref: '#/components/schemas/Problem' }

  it('notices a document that is none, a keyword that is none and an example that does not fit', async () => {
    for (const [part, instead] of [
      ['  title: Payment pipeline\n', ''],
      ['in: path', 'in: way']
    ] as const)
      assert.notDeepEqual(await readOpenApi(text.replace(part, instead)).faults(), [])
    const misspelt = text.replace('title: { type: string, minLength: 1 }', 'title: { type: string, minLenght: 1 }')
    assert.throws(() => readOpenApi(misspelt).problemWith(problem, null), /minLenght/)
    const untitled = { type: 'about:blank', status: 409, detail: 'No.' }
    assert.match(api.problemWith(problem, untitled) ?? '', /must have required property 'title'/)
    assert.throws(() => api.resolve({ $ref: '#/components/responses/Nothing' }))
  })

  it('notices an answer that is not as documented', () => {
    const fine = { status: 200, headers: { 'content-type': 'application/json' }, body: '{"status":"ok"}' }
    const mismatches = (changes: Partial<Answer>) => api.mismatches('get', '/health', { ...fine, ...changes })
    assert.deepEqual(mismatches({}), [])
    assert.deepEqual(mismatches({ status: 204 }), ['204 is not documented'])
    assert.deepEqual(mismatches({ headers: { 'content-type': 'text/plain' } }), [
      'content type text/plain is not documented'
    ])
    assert.equal(mismatches({ body: '{"status":"fine"}' }).length, 1)
    const withBody = { status: 202, headers: {}, body: 'x' }
    assert.deepEqual(api.mismatches('post', '/payments', withBody), ['there is a body: x'])
    const refused = {
      status: 405,
      headers: { 'content-type': 'application/problem+json' },
      body: '{"type":"about:blank","title":"x","status":405,"detail":"x"}'
    }
    assert.deepEqual(mismatches(refused), ['Allow is missing'])
  })
})
