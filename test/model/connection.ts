// One actor's connection to Redis, in the hands of the test: a command is carried out when the test says so, and its
// reply is heard, or lost, when the test says so. As on a real one, commands arrive and replies come back in order.
import type { Redis } from 'ioredis'

/** What became of a command as far as its actor can tell: nothing. */
export class Lost extends Error {
  override name = 'Lost'
}

export type Command = { name: string; args: readonly unknown[] }

/** The pipeline's function that a command calls, or else the command's own name. */
export function calledBy({ name, args }: Command): string {
  return name === 'call' ? String(args[1]).replace(/_[0-9a-f]+$/, '') : name
}

export type Carried = { reply: unknown } | { error: Error }
type Waiting = Command & { heard: (carried: Carried) => void }

/** How one command fares. `late`: its actor gives up, and Redis carries it out afterwards. */
export const FATES = ['carried out', 'reply on its way', 'reply lost', 'never arrived', 'late'] as const
export type Fate = (typeof FATES)[number]

export type Connection = {
  /** Commands of ioredis that wait for the test; what it does not wrap, nobody in the model uses. */
  redis: Redis
  /** Commands that Redis has not seen yet. */
  outgoing: Waiting[]
  /** Replies that the actor has not heard yet. */
  incoming: (() => void)[]
  /** Sends the oldest command. What is to be carried out later is returned. */
  transmit: (fate: Fate, carryOut: (command: Command) => Promise<Carried>) => Promise<Command | undefined>
  /** The actor hears the oldest reply. */
  hear: () => void
}

export function createConnection(): Connection {
  const outgoing: Waiting[] = []
  const incoming: (() => void)[] = []

  const enqueue = (name: string, args: readonly unknown[]) =>
    new Promise<unknown>((resolve, reject) => {
      outgoing.push({
        name,
        args,
        heard: carried => {
          if ('error' in carried) reject(carried.error)
          else resolve(carried.reply)
        }
      })
    })
  /** As ioredis has it, page by page. */
  async function* scanStream({ match, count }: { match: string; count: number }) {
    let cursor = '0'
    do {
      const [next, page] = (await enqueue('scan', [cursor, 'MATCH', match, 'COUNT', count])) as [string, string[]]
      yield page
      cursor = next
    } while (cursor !== '0')
  }

  return {
    redis: new Proxy(
      {},
      { get: (_, name) => (name === 'scanStream' ? scanStream : (...args: unknown[]) => enqueue(String(name), args)) }
    ) as unknown as Redis,
    outgoing,
    incoming,
    async transmit(fate, carryOut) {
      const command = outgoing.shift()
      if (command === undefined) return undefined
      const { heard } = command
      const isLost = fate === 'reply lost' || fate === 'never arrived' || fate === 'late'
      const carried = fate === 'never arrived' || fate === 'late' ? undefined : await carryOut(command)
      incoming.push(() =>
        heard(isLost || carried === undefined ? { error: new Lost(`${command.name}: ${fate}`) } : carried)
      )
      if (fate !== 'reply on its way') while (incoming.length > 0) incoming.shift()?.()
      return fate === 'late' ? command : undefined
    },
    hear() {
      incoming.shift()?.()
    }
  }
}
