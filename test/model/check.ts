// Runs of random steps, many one after another, and the shortest run found that fails.
import fc from 'fast-check'
import { mkdtemp, rm } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKeys } from '../../shared/keys.ts'
import { createLog } from '../../shared/log.ts'
import { connectRedis } from '../../shared/redis/connect.ts'
import { loadLibrary } from '../../shared/redis/library.ts'
import { createMovableClock } from '../support/movable-clock.ts'
import type { Own } from '../support/owner.ts'
import { drain } from './drain.ts'
import { shorten } from './shorten.ts'
import { createStateReader } from './state.ts'
import { CHOICES, take, type Step } from './steps.ts'
import { World, type WorldOptions } from './world.ts'

/** So many steps are drawn for a run; about half of them find something to do. */
const RUN_LENGTH = 400
const RUNS_A_CHUNK = 20

/** `stepCount`: how many steps it took to find it. */
export type Failure = { seed: number; message: string; stepCount: number; trace: readonly string[] }
export type Report = { stepCount: number; runCount: number; tookMs: number; failure: Failure | undefined }
export type CheckOptions = {
  seed: number
  stepCountMin: number
  shrinkMaxMs?: number
  onProgress?: (stepCount: number) => void
}

type Redis = Pick<WorldOptions, 'redis' | 'reader' | 'stopClockAt'>

/** A redis-server whose clock stands where it is told to. */
async function startRedis(own: Own): Promise<Redis> {
  const directory = own(await mkdtemp(join(tmpdir(), 'model-')), made => rm(made, { recursive: true, force: true }))
  const clock = createMovableClock(directory)
  const socket = join(directory, 'redis.sock')
  const fixed = '--port 0 --appendonly no --hash-max-listpack-entries 512'.split(' ')
  const args = ['--unixsocket', socket, '--dir', directory, '--save', '', ...fixed]
  const env = { ...process.env, ...clock.environment }
  own(spawn('redis-server', args, { stdio: 'ignore', env }), async server => {
    server.kill('SIGTERM')
    if (server.exitCode === null) await once(server, 'exit')
  })
  const redis = own(await connectRedis(`unix:${socket}`, 'model', 30_000, createLog('model', 'silent')), client =>
    client.disconnect()
  )
  await loadLibrary(redis)
  return { redis, reader: await createStateReader(redis, createKeys()), stopClockAt: clock.stopAt }
}

const choice = fc.noBias(fc.nat(CHOICES - 1))
const steps = fc.array(fc.tuple(choice, choice, choice), { minLength: 1, maxLength: RUN_LENGTH, size: 'max' })

/** Runs until there were so many steps, or one run failed, which is then made as short as the time for that allows. */
export async function check(
  own: Own,
  { seed, stepCountMin, shrinkMaxMs = 60_000, onProgress }: CheckOptions
): Promise<Report> {
  const redis = await startRedis(own)
  const startedAtMs = performance.now()
  let [stepCount, runCount] = [0, 0]
  let failed: Omit<Failure, 'seed' | 'stepCount'> | undefined
  /** Throws what is broken, and keeps how it came to that: the last one that fails is the shortest. */
  const run = async (isUpgrade: boolean, list: readonly Step[]) => {
    const world = await World.start({ ...redis, isUpgrade })
    let doneCount = 0
    try {
      for (const step of list) if (await take(world, step)) doneCount += 1
      await drain(world)
    } catch (error) {
      failed = { message: error instanceof Error ? error.message : String(error), trace: world.trace }
      throw error
    }
    return doneCount
  }
  const report = (failure?: Failure): Report => {
    return { stepCount, runCount, tookMs: performance.now() - startedAtMs, failure }
  }
  const property = fc.asyncProperty(fc.boolean(), steps, async (isUpgrade, list) => {
    stepCount += await run(isUpgrade, list)
    runCount += 1
  })
  for (let chunkSeed = seed; stepCount < stepCountMin; chunkSeed++) {
    const options = { seed: chunkSeed, numRuns: RUNS_A_CHUNK, endOnFailure: true }
    const { counterexample } = await fc.check(property, options)
    if (counterexample) {
      const [isUpgrade, list] = counterexample
      const fails = (shorter: readonly Step[]) =>
        run(isUpgrade, shorter).then(
          () => false,
          () => true
        )
      await shorten(list, fails, shrinkMaxMs)
      if (failed) return report({ seed: chunkSeed, stepCount, ...failed })
    }
    onProgress?.(stepCount)
  }
  return report()
}
