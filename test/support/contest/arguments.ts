// What both ways to run the contest take on the command line.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { CannotRunError, shown, wholeNumber } from '../command.ts'
import { parseSchedule, type Schedule } from './schedule.ts'

export const PUBLISHED_SCHEDULE = resolve(import.meta.dirname, '../../k6/schedules/published.json')

export const CONTEST_OPTIONS = {
  schedule: { type: 'string', default: PUBLISHED_SCHEDULE },
  drain: { type: 'string', default: '30' },
  json: { type: 'boolean', default: false }
} as const

export type ContestSettings = {
  schedulePath: string
  /** How long a run waits for payments that are left over at the end of the schedule. */
  drainMaxMs: number
  wantsJson: boolean
}

/** @throws Error that names the argument */
export function contestSettings(values: { schedule: string; drain: string; json: boolean }): ContestSettings {
  return {
    schedulePath: resolve(values.schedule),
    drainMaxMs: wholeNumber('--drain', values.drain, 0, 9_999) * 1_000,
    wantsJson: values.json
  }
}

/** @throws CannotRunError that names the file and what is wrong with it */
export function readSchedule(path: string): Schedule {
  try {
    return parseSchedule(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    throw new CannotRunError(`${shown(path)}: ${(error as Error).message}`, { cause: error })
  }
}
