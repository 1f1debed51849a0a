// What people give to a script with -e NAME=…: checked, and named when it is wrong. Read by k6, so nothing of Node is
// used here. An empty value counts as none.
import { parseAmount, wholeNumber } from '../../support/contest/schedule.ts'

type Environment = Record<string, string | undefined>

/** @throws Error that names the parameter */
export function readWholeNumber(
  environment: Environment,
  name: string,
  fallback: number,
  min: number,
  max: number
): number {
  const text = environment[name]
  return text === undefined || text === '' ? fallback : wholeNumber(numberFrom(text), name, min, max)
}

/** Separated by commas, at least one. @throws Error that names the parameter */
export function readWholeNumbers(
  environment: Environment,
  name: string,
  fallback: number[],
  min: number,
  max: number,
  countMax: number
): number[] {
  const text = environment[name]
  if (text === undefined || text === '') return fallback
  const parts = text.split(',')
  if (parts.length > countMax) throw new Error(`${name} can have ${countMax} numbers at most, not ${parts.length}`)
  return parts.map(part => wholeNumber(numberFrom(part.trim()), `each number in ${name}`, min, max))
}

/** Whole cents. @throws Error that names the parameter */
export function readAmountCents(environment: Environment, name: string): number | undefined {
  const text = environment[name]
  return text === undefined || text === '' ? undefined : parseAmount(numberFrom(text), name)
}

/** Without a slash at the end. @throws Error that names the parameter */
export function readUrl(environment: Environment, name: string, fallback: string): string {
  const given = environment[name] ?? ''
  const url = (given === '' ? fallback : given).replace(/\/+$/, '')
  if (/^https?:\/\/[^/?#\s]+$/.test(url)) return url
  throw new Error(`${name} must be an http:// or https:// address without a path, not ${url}`)
}

/** NaN when the text is anything but plain digits: Number() also takes "0x10", "1e3" and blanks. */
function numberFrom(text: string): number {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN
}
