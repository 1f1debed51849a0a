// What of a part's log deserves a place on the terminal of `npm start`, in one line.

const PINO_LEVELS: Record<number, string> = { 40: 'warning', 50: 'error', 60: 'fatal' }
// What a reader of the terminal does not need.
const PLUMBING = new Set(['level', 'time', 'pid', 'hostname', 'service', 'msg'])

/** Undefined for a line that only the log file needs. */
export function warningIn(line: string): string | undefined {
  const entry = parseEntry(line)
  if (entry !== undefined) {
    const level = PINO_LEVELS[Number(entry.level)]
    if (level === undefined) return undefined
    const details = Object.entries(entry)
      .filter(([name]) => !PLUMBING.has(name))
      .map(describe)
    return [`${level}: ${String(entry.msg)}`, ...details].join('  ')
  }
  // HAProxy: "[WARNING]  (1234) : Server gateways/gateway-1 is DOWN, …"
  const haproxy = /^\[([A-Z]+)\]\s*(?:\(\d+\) : )?(.*)/.exec(line)
  if (haproxy !== null) return haproxy[1] === 'NOTICE' ? undefined : `${haproxy[1]?.toLowerCase()}: ${haproxy[2]}`
  // Redis: "1234:M 21 Nov 2026 08:21:31.026 * message"; # is its mark for a warning.
  const redis = /^\d+:\S+ .*?\d\d:\d\d:\d\d\.\d+ ([*#.-]) (.*)/.exec(line)
  if (redis !== null) return redis[1] === '#' ? `warning: ${redis[2]}` : undefined
  // A stack trace, a warning of Node itself: nobody writes a plain line on purpose.
  return line
}

function parseEntry(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}

function describe([name, value]: [string, unknown]): string {
  const message = (value as { message?: unknown } | null)?.message
  return `${name}=${typeof value === 'string' ? value : JSON.stringify(message ?? value)}`
}
