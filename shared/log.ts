import { pino, stdSerializers, type Logger } from 'pino'
import { oneOf } from './config.ts'

export type Log = Logger

/** The variable every service has. */
export const LOG_LEVEL = oneOf('LOG_LEVEL', ['trace', 'debug', 'info', 'warn', 'error', 'silent'], {
  default: 'info',
  about: 'Least severe level that is written. One JSON line an event on stdout, never one a payment at info.'
})

/** Structured logs: ISO times, the service's name on each line, errors with their cause. */
export function createLog(service: string, level: string): Log {
  const base = { service, pid: process.pid }
  const options = { level, base, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: describeError } }
  // Asynchronously, which is the default, the last lines before an exit come out of order, and SIGKILL swallows them.
  return pino(options, pino.destination({ sync: true }))
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const described = stdSerializers.err(error)
  // The Redis client puts the refused command here, with all its arguments: hundreds of payments, or the whole library.
  delete described.command
  return described
}
