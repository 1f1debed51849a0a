// What the clients of the bare parts have in common: they warm up, work, and say what one payment cost whom.
import { processMeter } from '../meter.ts'

export type DrivenResult = {
  /** µs of CPU a payment, of this process. */
  clientMicros: number
  /** Of the other one. */
  serverMicros: number
}

/** Payments under way when a batch of them travels at once; what comes together under load. */
export const BATCH = 32

/** Made ready for the parts that need them; where they are used up, the figures are those of the shorter time. */
export const PAYMENTS_PER_SECOND = 30_000

const WARM_UP_SHARE = 0.25

/**
 * Prints a DrivenResult.
 * @param server the process at the other end
 * @param step does a little work and returns how many payments that was; 0 when there is no more
 */
export async function drive(server: number, seconds: number, step: () => Promise<number>): Promise<void> {
  const [own, other] = [processMeter(process.pid), processMeter(server)]
  const work = async (untilMs: number) => {
    let payments = 0
    for (let count = -1; count !== 0 && performance.now() < untilMs; payments += count) count = await step()
    return payments
  }
  const startMs = performance.now()
  await work(startMs + seconds * 1_000 * WARM_UP_SHARE)
  const before = [own.cpuMicros(), other.cpuMicros()] as const
  const payments = await work(startMs + seconds * 1_000)
  const result: DrivenResult = {
    clientMicros: (own.cpuMicros() - before[0]) / payments,
    serverMicros: (other.cpuMicros() - before[1]) / payments
  }
  console.log(JSON.stringify(result))
}
