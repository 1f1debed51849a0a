// Runs the load tool; load/main.go says what it does and prints.
import { startProgram } from '../support/program.ts'
import { processMeter, type Meter } from './meter.ts'

/** Times in µs since 1970. */
export type Sent = {
  dueMicros: number
  sentMicros: number
  answeredMicros: number
  /** How late it was sent although its connection was free. */
  lagMicros: number
  /** -1 without an answer. */
  status: number
}

export type Load = {
  meter: Meter
  /** Resolves when the last answer is in; rejects when the tool fails or is stopped. */
  requests: Promise<Sent[]>
  /** Sends no more; what was sent is still answered. */
  end: () => void
}

/**
 * Requests that can wait for an answer. A request that is due while all of them wait is sent late, and its latency
 * counts from when it was due all the same.
 */
export const CONNECTIONS = 64

export function startLoad(
  tool: string,
  url: string,
  ratePerSecond: number,
  seconds: number,
  signal: AbortSignal
): Load {
  const words = [`${url}/payments`, String(ratePerSecond), String(seconds), String(CONNECTIONS)]
  // In a process group of its own: Ctrl-C in the terminal is for us, who stop it.
  const program = startProgram([tool, ...words], { detached: true, signal, killSignal: 'SIGKILL' })
  const requests = program.exited.then(({ code }) => {
    const { stdout, stderr } = program.output
    if (code !== 0) throw new Error(`the load tool ended with ${code ?? 'a signal'}: ${stderr.slice(-2_000)}`)
    return parseRequests(stdout)
  })
  // Whoever stops early does not wait for it.
  requests.catch(() => undefined)
  // Fortio's runner ends its schedule early when it is interrupted.
  return {
    meter: lastingMeter(processMeter(program.pid)),
    requests,
    end: () => program.kill('SIGINT')
  }
}

/** Goes on to tell what it read last, once the process has ended. */
function lastingMeter({ cpuMicros, ...rest }: Meter): Meter {
  let lastMicros = 0
  return {
    ...rest,
    cpuMicros() {
      try {
        lastMicros = cpuMicros()
      } catch {
        /* ended */
      }
      return lastMicros
    }
  }
}

export function parseRequests(output: string): Sent[] {
  const [first = '', ...lines] = output.trimEnd().split('\n')
  const startMicros = Number(/^start (\d+)$/.exec(first)?.[1])
  return lines.map(line => {
    const [due = NaN, sent = NaN, answered = NaN, lagMicros = NaN, status = NaN] = line.split(' ').map(Number)
    return {
      dueMicros: startMicros + due,
      sentMicros: startMicros + sent,
      answeredMicros: startMicros + answered,
      lagMicros,
      status
    }
  })
}

export function isAccepted({ status }: Sent): boolean {
  return status >= 200 && status <= 299
}
