/**
 * Typed readers for environment variables. A service declares its variables once, as a record of
 * `Variable`s; reading them, the `--help` text and docs/configuration.md all come from that record.
 */
export type Variable<T> = {
  name: string
  /** What it does, in one sentence. */
  about: string
  /** The default as a person would type it; '' when the variable may stay unset. */
  default: string
  /** What a good value looks like, e.g. "1 to 65535 bytes". */
  wants: string
  /** Its value may hold a password, so no message shows it. */
  isSecret?: true
  /** Undefined means: not a good value. */
  parse: (text: string) => T | undefined
}

export type Variables = Record<string, Variable<unknown>>
export type ConfigOf<V extends Variables> = { [K in keyof V]: V[K] extends Variable<infer T> ? T : never }

/** What several variables must be together, e.g. one of them at least twice another. */
export type Rule<V extends Variables> = {
  between: readonly (keyof V & string)[]
  /** What would be good, e.g. "DEFAULT_FEE not above FALLBACK_FEE". */
  wants: string
  isKept: (config: ConfigOf<V>) => boolean
}

/** The environment is wrong; the message names every bad variable and what it wants. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/** @throws ConfigError that names every variable whose value is not usable, and those that contradict each other. */
export function readConfig<V extends Variables>(
  variables: V,
  environment: NodeJS.ProcessEnv,
  rules: readonly Rule<V>[] = []
): ConfigOf<V> {
  const problems = problemsIn(variables, environment, rules)
  if (problems.length > 0) throw new ConfigError(problems.join('\n'))
  return valuesOf(readingsOf(variables, environment))
}

/** Everything that is wrong with an environment, a line each. */
export function problemsIn<V extends Variables>(
  variables: V,
  environment: NodeJS.ProcessEnv,
  rules: readonly Rule<V>[] = []
): string[] {
  const readings = readingsOf(variables, environment)
  const isUsable = (key: string) => readings.get(key)?.value !== undefined
  const unusable = [...readings.values()].filter(({ value }) => value === undefined)
  const broken = rules.filter(({ between, isKept }) => between.every(isUsable) && !isKept(valuesOf(readings)))
  return [
    ...unusable.map(({ shown, wants }) => `${shown} is not usable: it wants ${wants}`),
    ...broken.map(
      ({ between, wants }) =>
        `${between.map(key => readings.get(key)?.shown).join(', ')} contradict each other: wanted is ${wants}`
    )
  ]
}

/** `value` is undefined where the text is not usable. */
type Reading = { shown: string; wants: string; value: unknown }

function readingsOf(variables: Variables, environment: NodeJS.ProcessEnv): Map<string, Reading> {
  return new Map(
    Object.entries(variables).map(([key, { name, default: standard, wants, isSecret, parse }]) => {
      const given = environment[name]?.trim() ?? ''
      // An empty value counts as unset: compose files pass unset variables on as ''.
      const text = given === '' ? standard : given
      return [key, { shown: isSecret ? name : `${name}=${JSON.stringify(text)}`, wants, value: parse(text) }]
    })
  )
}

function valuesOf<V extends Variables>(readings: Map<string, Reading>): ConfigOf<V> {
  return Object.fromEntries([...readings].map(([key, { value }]) => [key, value])) as ConfigOf<V>
}

/** The `--help` lines of a service's variables. */
export function describeVariables(variables: Variables): string {
  return Object.values(variables)
    .map(
      ({ name, about, default: standard, wants }) =>
        `  ${name}\n      ${about}\n      ${wants}; default: ${standard || 'unset'}`
    )
    .join('\n')
}

/** A whole number with a range, both ends included. */
export function integer(
  name: string,
  spec: { default: number; min: number; max: number; unit: string; about: string }
): Variable<number> {
  return {
    name,
    about: spec.about,
    default: String(spec.default),
    wants: `a whole number from ${spec.min} to ${spec.max}${spec.unit && ` (${spec.unit})`}`,
    parse: text => {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN
      return value >= spec.min && value <= spec.max ? value : undefined
    }
  }
}

export function oneOf<const T extends string>(
  name: string,
  choices: readonly T[],
  spec: { default: T; about: string }
): Variable<T> {
  return {
    name,
    about: spec.about,
    default: spec.default,
    wants: `one of ${choices.join(', ')}`,
    parse: text => choices.find(choice => choice === text)
  }
}

/** Free text; null when unset. */
export function optionalText(
  name: string,
  spec: { wants: string; about: string; pattern: RegExp }
): Variable<string | null> {
  return {
    name,
    about: spec.about,
    default: '',
    wants: spec.wants,
    parse: text => (text === '' ? null : spec.pattern.test(text) ? text : undefined)
  }
}

/** An http or https origin without path, such as http://payment-processor-default:8080. */
export function httpOrigin(name: string, spec: { default: string; about: string }): Variable<string> {
  return {
    name,
    about: spec.about,
    default: spec.default,
    wants: 'an http:// or https:// address without a path',
    parse: text => {
      if (!URL.canParse(text)) return undefined
      const url = new URL(text)
      const isOrigin = /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '' && url.hash === ''
      return isOrigin && url.username === '' ? url.origin : undefined
    }
  }
}

/** Where something listens or is reached: a unix socket or TCP. */
export type Address = { kind: 'unix'; path: string } | { kind: 'tcp'; host: string; port: number }

/** `unix:/run/gateway.sock` or `0.0.0.0:8080`. */
export function address(name: string, spec: { default: string; about: string }): Variable<Address> {
  return {
    name,
    about: spec.about,
    default: spec.default,
    wants: 'unix:/absolute/path.sock (at most 107 bytes of path) or HOST:PORT',
    parse: parseAddress
  }
}

/** The same; null when unset. */
export function optionalAddress(name: string, spec: { about: string }): Variable<Address | null> {
  return {
    ...address(name, { default: '', about: spec.about }),
    parse: text => (text === '' ? null : parseAddress(text))
  }
}

function parseAddress(text: string): Address | undefined {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length)
    // sockaddr_un holds 108 bytes with the closing NUL.
    return path.startsWith('/') && Buffer.byteLength(path) <= 107 ? { kind: 'unix', path } : undefined
  }
  const [, host, port] = /^([^:/\s]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || Number(port) > 65_535) return undefined
  return { kind: 'tcp', host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}
