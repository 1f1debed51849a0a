import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Log } from '../log.ts'
import { isReplyError } from './errors.ts'

/**
 * Blocking commands block for a second, so a connection that says nothing for this long while it owes a reply is dead.
 */
const SILENCE_MAX_MS = 5_000

/**
 * A connection that fails fast: a command is rejected at once while Redis is away, and when its
 * reply is lost. It never waits in a queue and is never sent twice, because only the caller knows whether
 * sending it again is safe. The client itself reconnects for ever.
 *
 * @param replyTimeoutMs a command without a reply is rejected after this time, and the connection with it; null for
 *   blocking commands
 * @throws the first connection's error, when Redis can't be reached within `readyWithinMs`
 */
export async function connectRedis(
  url: string,
  name: string,
  replyTimeoutMs: number | null,
  log: Log,
  readyWithinMs = 30_000
): Promise<Redis> {
  const redis = new Redis(url.replace(/^unix:/, ''), {
    connectionName: name,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // The client would subscribe again by itself, but nobody catches its error when the connection is lost again at
    // once, which ends the process: whoever subscribes does so at each 'ready'.
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    retryStrategy: attempts => Math.min(50 * attempts, 500),
    // While Redis loads its log, ioredis asks again when Redis says it will be done, which is a guess: it waited ten
    // seconds for one that took three.
    maxLoadingRetryTime: 500,
    connectTimeout: 2_000,
    protocol: 2,
    // A connection that owes a reply and is silent is replaced: what it was sent would pile up in it, and a peer that
    // is gone without a word would be noticed only by the kernel, after a quarter of an hour.
    ...(replyTimeoutMs !== null && { commandTimeout: replyTimeoutMs }),
    socketTimeout: replyTimeoutMs ?? SILENCE_MAX_MS
  })

  // One line when it is lost and one when it is back; ioredis reports each failed attempt.
  let lostAtMs: number | undefined
  const noteLost = (reason: string) => {
    if (lostAtMs !== undefined) return
    lostAtMs = performance.now()
    log.error({ connection: name, reason }, 'Redis lost')
  }
  redis.on('error', (error: NodeJS.ErrnoException) => noteLost(error.code ?? error.message))
  redis.on('close', () => {
    if (redis.status !== 'end') noteLost('connection closed')
  })
  redis.on('ready', () => {
    if (lostAtMs !== undefined)
      log.warn({ connection: name, afterMs: Math.round(performance.now() - lostAtMs) }, 'Redis back')
    lostAtMs = undefined
  })

  await new Promise<void>((resolve, reject) => {
    const deadline = setTimeout(() => {
      redis.disconnect()
      reject(new Error(`Redis at ${url.replace(/\/\/.*@/, '//')} did not answer within ${readyWithinMs} ms`))
    }, readyWithinMs)
    redis.once('ready', () => {
      clearTimeout(deadline)
      resolve()
    })
  })
  return redis
}

/**
 * Does what a service needs from Redis before it can start, again and again while Redis goes away in between. Only for
 * what may be done twice.
 *
 * @throws what Redis refuses, and the connection's error after 30 s
 */
export async function onceRedisAnswers<T>(work: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + 30_000
  while (true) {
    try {
      return await work()
    } catch (error) {
      if (isReplyError(error) || performance.now() > deadlineMs) throw error
      await sleep(50)
    }
  }
}
