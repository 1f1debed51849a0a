import { pino, stdSerializers, type Logger } from 'pino'

export type Log = Logger

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
