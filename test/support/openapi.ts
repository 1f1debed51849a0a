import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { parse } from 'yaml'

export type Reference = { $ref: string }
export type Content = Record<string, { schema: object; examples?: Record<string, { value: unknown }> }>
export type Header = { required?: boolean; schema: object }
export type Response = { description: string; headers?: Record<string, Header | Reference>; content?: Content }
export type Operation = {
  operationId: string
  parameters?: { name: string; schema: object; example?: unknown }[]
  requestBody?: { content: Content }
  responses: Record<string, Response | Reference>
}
export type Document = {
  info: { version: string }
  paths: Record<string, Record<string, Operation>>
  components: Record<string, Record<string, object>>
}

const PATH = join(import.meta.dirname, '..', '..', 'docs', 'openapi.yaml')
const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options', 'trace']
/** By which ajv knows the schemas of the document. */
const ID = 'https://payment-pipeline.invalid/openapi'

export type Answer = { status: number; headers: Record<string, string | string[] | undefined>; body: string }

export type OpenApi = {
  document: Document
  text: string
  /** What the schema of OpenAPI 3.1 says against the document; empty when it is fine. */
  faults: () => Promise<string[]>
  operations: () => { method: string; path: string; operation: Operation }[]
  /** Follows a reference. */
  resolve: <T extends object>(part: T | Reference) => T
  /** What is wrong with a value by a schema of the document; undefined if nothing is. */
  problemWith: (schema: object, value: unknown) => string | undefined
  /** What of an answer is not as documented; empty if all is. */
  mismatches: (method: string, path: string, answer: Answer) => string[]
}

export function readOpenApi(text = readFileSync(PATH, 'utf8')): OpenApi {
  const document = parse(text) as Document
  // Strict: a keyword that nobody knows is a misspelt one. Types that may be null, and properties in `if`, are meant
  // so.
  const ajv = new Ajv2020({
    strict: true,
    allErrors: true,
    strictRequired: false,
    strictTypes: false,
    allowUnionTypes: true
  })
  formats.default(ajv)
  // The document is no schema, but its schemas are the definitions of one.
  const withReferences = (schema: object, id: string) =>
    JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', `${id}#/$defs/`)) as object
  ajv.addSchema({ $id: ID, $defs: withReferences(document.components.schemas ?? {}, '') })
  const validators = new Map<string, ValidateFunction>()

  const resolve = <T extends object>(part: T | Reference): T => {
    if (!('$ref' in part)) return part
    const found = part.$ref
      .slice(2)
      .split('/')
      .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name.replaceAll('~1', '/')], document)
    if (found === undefined) throw new Error(`${part.$ref} is not there`)
    return found as T
  }

  const problemWith = (schema: object, value: unknown): string | undefined => {
    const key = JSON.stringify(schema)
    const validate = validators.get(key) ?? ajv.compile(withReferences(schema, ID))
    validators.set(key, validate)
    return validate(value) ? undefined : ajv.errorsText(validate.errors, { dataVar: 'it' })
  }

  return {
    document,
    text,
    resolve,
    problemWith,
    async faults() {
      const { valid, errors } = await new Validator().validate(structuredClone(document))
      return valid ? [] : [JSON.stringify(errors)]
    },
    operations: () =>
      Object.entries(document.paths).flatMap(([path, item]) =>
        Object.entries(item)
          .filter(([method]) => METHODS.includes(method))
          .map(([method, operation]) => ({ method, path, operation }))
      ),
    mismatches(method, path, { status, headers, body }) {
      const item = document.paths[path]
      // A method that is not allowed stands at the one that is.
      const operation = item?.[method] ?? Object.values(item ?? {}).find(each => 'responses' in each)
      const documented = operation?.responses[String(status)]
      if (documented === undefined) return [`${status} is not documented`]
      const { content = {}, headers: wanted = {} } = resolve(documented)
      const found: string[] = []
      for (const [name, part] of Object.entries(wanted)) {
        const { required, schema } = resolve(part)
        const value = headers[name.toLowerCase()]
        if (value === undefined && required === true) found.push(`${name} is missing`)
        const problem = value === undefined ? undefined : problemWith(schema, value)
        if (problem !== undefined) found.push(`${name}: ${problem}`)
      }
      const type = headers['content-type']
      const media = typeof type === 'string' ? content[type] : undefined
      if (Object.keys(content).length === 0)
        return body === '' && type === undefined ? found : [...found, `there is a body: ${body}`]
      if (media === undefined) return [...found, `content type ${String(type)} is not documented`]
      const value: unknown = String(type).endsWith('json') ? JSON.parse(body) : body
      const problem = problemWith(media.schema, value)
      return problem === undefined ? found : [...found, problem]
    }
  }
}
