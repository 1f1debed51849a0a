// What comes from Redis is unknown until one of these has looked at it. A reply of another form than our own functions
// give is a broken invariant.
import assert from 'node:assert/strict'

export function text(reply: unknown): string {
  assert(typeof reply === 'string', `expected text from Redis, not ${typeof reply}`)
  return reply
}

export function wholeNumber(reply: unknown): number {
  assert(Number.isSafeInteger(reply), `expected a whole number from Redis, not ${typeof reply}`)
  return reply as number
}

export function list(reply: unknown): unknown[] {
  assert(Array.isArray(reply), `expected a list from Redis, not ${typeof reply}`)
  return reply
}

export function textList(reply: unknown): string[] {
  return list(reply).map(text)
}

/** { one, another, ... } by twos. */
export function pairs(reply: unknown): [string, string][] {
  const flat = textList(reply)
  assert(flat.length % 2 === 0, 'expected pairs from Redis')
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[index * 2] ?? '', flat[index * 2 + 1] ?? ''])
}

/** { field, value, ... } of a hash, as HGETALL gives it to a function. */
export function fields(reply: unknown): Record<string, string | undefined> {
  return Object.fromEntries(pairs(reply))
}

/** Reads { name, value, ... }, whose values are of several forms. Asking for a name that is not there is an error. */
export function named(reply: unknown): (name: string) => unknown {
  const flat = list(reply)
  const values = new Map<unknown, unknown>()
  for (let at = 0; at < flat.length; at += 2) values.set(flat[at], flat[at + 1])
  return name => {
    assert(values.has(name), `expected ${name} from Redis`)
    return values.get(name)
  }
}

export function oneOf<const T extends string>(choices: readonly T[], reply: unknown): T {
  const choice = choices.find(each => each === reply)
  assert(choice !== undefined, `expected one of ${choices.join(', ')} from Redis`)
  return choice
}
