// Node 22 has both of them, TypeScript's library does not know them yet.
const { rawJSON: raw, parse } = JSON as unknown as {
  rawJSON: (text: string) => unknown
  parse: (text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown) => unknown
}

/** A value that stands in the JSON as it is written: a number of any size, exactly. */
export const rawJSON = raw

/**
 * JSON.parse; `revive` is given each number as it was written as well, undefined for all that is no number.
 *
 * @throws SyntaxError
 */
export function parseExactly(
  text: string,
  revive: (key: string, value: unknown, digits: string | undefined) => unknown
): unknown {
  return parse(text, (key, value, { source }) => revive(key, value, typeof value === 'number' ? source : undefined))
}
