import type { Redis } from 'ioredis'
import { required } from './payments.ts'

/** A number that INFO tells, by the name in front of it. */
export async function infoNumber(redis: Redis, section: string, name: string): Promise<number> {
  const line = (await redis.info(section)).split('\r\n').find(each => each.startsWith(`${name}:`))
  return Number(required(/:\D*(\d+)/.exec(required(line))?.[1]))
}
