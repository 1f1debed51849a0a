// One process of the stack: started, watched, stopped, killed and started again.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { lastLogLines, logSizeBytes } from './log-file.ts'
import { readUsage, type Usage } from './usage.ts'

export type PartState = 'stopped' | 'starting' | 'running' | 'stopping'
export type Exit = { code: number | null; signal: NodeJS.Signals | null }

export type PartPlan = {
  name: string
  command: string
  arguments: string[]
  environment: Record<string, string>
  workingDirectory: string
  logPath: string
  /** What asks this part to finish its work and end. */
  stopSignal: NodeJS.Signals
  /** Asked every few milliseconds until it says yes; its log of this run begins at `logFromByte`. */
  isReady: (logFromByte: number) => boolean | Promise<boolean>
  readyTimeoutMs: number
}

const READINESS_POLL_MS = 5
// More than the 5 s (DRAIN_MS) that our services give themselves.
const DEFAULT_GRACE_MS = 8_000

export class Part {
  readonly name: string
  readonly logPath: string
  /** Called when the part ends while running without stop() or kill(). */
  onCrash: (exit: Exit) => void = () => undefined
  #plan: PartPlan
  #state: PartState = 'stopped'
  #child: ChildProcess | undefined
  #exited: Promise<Exit> = Promise.resolve({ code: null, signal: null })

  constructor(plan: PartPlan) {
    this.name = plan.name
    this.logPath = plan.logPath
    this.#plan = plan
  }

  get state(): PartState {
    return this.#state
  }

  /** Of the current run; undefined when stopped. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Resolves when the current run ends, at once when there is none; never rejects. */
  get exited(): Promise<Exit> {
    return this.#exited
  }

  /** Returns when the part serves. Throws, and leaves nothing running, when it ends or is not ready in time. */
  async start(): Promise<void> {
    if (this.#state !== 'stopped') throw new Error(`${this.name} is ${this.#state}, it cannot be started now`)
    const logFromByte = logSizeBytes(this.logPath)
    const deadlineMs = performance.now() + this.#plan.readyTimeoutMs
    this.#spawn()
    while (!(await this.#plan.isReady(logFromByte))) {
      if (this.#wasEnded()) throw this.#failure(`ended before it was ready (${describeExit(await this.#exited)})`)
      if (performance.now() > deadlineMs) {
        this.kill('SIGKILL')
        await this.#exited
        throw this.#failure(`was not ready within ${this.#plan.readyTimeoutMs} ms`)
      }
      await sleep(READINESS_POLL_MS)
    }
    if (this.#wasEnded()) throw this.#failure(`ended at once (${describeExit(await this.#exited)})`)
    this.#state = 'running'
  }

  /** Asks the part to end, kills it after the grace period; returns how it ended. */
  async stop(graceMs = DEFAULT_GRACE_MS): Promise<Exit> {
    this.kill(this.#plan.stopSignal)
    // A part that a test has paused with SIGSTOP would never see the signal.
    this.#send('SIGCONT')
    const timer = setTimeout(() => this.kill('SIGKILL'), graceMs)
    const exit = await this.#exited
    clearTimeout(timer)
    return exit
  }

  /** Any signal but SIGSTOP and SIGCONT counts as a wish that the part ends; await `exited` to see it gone. */
  kill(signal: NodeJS.Signals): void {
    if (this.#child === undefined) return
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') this.#state = 'stopping'
    this.#send(signal)
  }

  /** Memory of the current run; throws when there is none. */
  usage(): Usage {
    if (this.pid === undefined) throw new Error(`${this.name} is not running`)
    return readUsage(this.pid)
  }

  #spawn(): void {
    const { command, environment, workingDirectory: cwd } = this.#plan
    const logFile = openSync(this.logPath, 'a')
    // Detached: a process group of its own, so that Ctrl-C in the terminal reaches only us and the parts are stopped in
    // order, and so that SIGKILL reaches what the part has forked (Redis forks to rewrite its log).
    const [file = command, ...words] = [...dieWithParent(), command, ...this.#plan.arguments]
    const child = spawn(file, words, { cwd, env: environment, detached: true, stdio: ['ignore', logFile, logFile] })
    this.#child = child
    this.#state = 'starting'
    this.#exited = new Promise(resolve => {
      const end = (exit: Exit) => {
        const crashed = this.#state === 'running'
        this.#child = undefined
        this.#state = 'stopped'
        resolve(exit)
        if (crashed) this.onCrash(exit)
      }
      child.once('exit', (code, signal) => end({ code, signal }))
      child.once('error', error => {
        if (child.pid !== undefined) return
        writeSync(logFile, `${error.message}\n`)
        end({ code: 127, signal: null })
      })
    })
    // The error event of a failed spawn still writes to the log, and comes before any immediate.
    setImmediate(() => closeSync(logFile))
  }

  #send(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid
    if (pid === undefined) return
    try {
      process.kill(signal === 'SIGKILL' ? -pid : pid, signal)
    } catch (error) {
      // Ended a moment ago; its exit event is on the way.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  #wasEnded(): boolean {
    return this.#state === 'stopped' || this.#state === 'stopping'
  }

  #failure(what: string): Error {
    const lines = [`${this.name} ${what}; the end of ${this.logPath}:`, ...lastLogLines(this.logPath, 15)]
    return new Error(lines.join('\n  '))
  }
}

/** "exit code 1" or "signal SIGKILL". */
export function describeExit(exit: Exit): string {
  return exit.signal === null ? `exit code ${exit.code ?? 'unknown'}` : `signal ${exit.signal}`
}

let deathSignalPrefix: string[] | undefined

// Even when we are killed with SIGKILL no part may live on. The kernel sees to it if asked, and util-linux's setpriv
// asks; it replaces itself by the command, so the pid stays. Where it is missing (macOS), only a clean stop cleans up.
function dieWithParent(): string[] {
  const prefix = ['setpriv', '--pdeathsig', 'SIGKILL', '--']
  deathSignalPrefix ??= spawnSync('setpriv', [...prefix.slice(1), 'true']).status === 0 ? prefix : []
  return deathSignalPrefix
}
