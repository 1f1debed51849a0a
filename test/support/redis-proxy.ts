import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { Own } from './owner.ts'
import { createCommandSplitter } from './redis-commands.ts'

/**
 * What happens to one command that a client sends, and to its connection:
 *
 *   lose-request   the connection ends before the command is passed on: Redis never sees it
 *   cut-request    the connection ends in the middle of the command: Redis must not act on half of it
 *   lose-reply     the command is carried out, the connection ends before its reply
 *   cut-reply      the command is carried out, the connection ends in the middle of its reply
 *   go-silent      the command is carried out, and from then on nothing comes back; the connection stays open
 */
export type RedisFault = 'lose-request' | 'cut-request' | 'lose-reply' | 'cut-reply' | 'go-silent'

export type RedisProxy = {
  /** Where clients connect. */
  url: string
  /** Does this to the next command that contains `text`; resolves when it has happened. */
  next: (text: string, fault: RedisFault) => Promise<void>
  /** Holds back each command that contains `text`, and what its connection sends after it, until released. */
  hold: (text: string) => Hold
  /** Ends all connections, whatever is under way on them. Clients may connect again. */
  cutAll: () => void
  /** Forgets faults that have not happened yet. */
  calm: () => void
}

export type Hold = {
  /** Resolves when the first command is held. */
  caught: Promise<void>
  /** Lets go of what is held, and of whatever else contains the text. */
  release: () => void
}

type Rule = { text: string; fault: RedisFault; happened: () => void }
type Connection = { client: Socket; server: Socket; held: Buffer[] | undefined }

/**
 * A relay between the pipeline and Redis, on a unix socket, that understands requests well enough to break one of them.
 */
export async function startRedisProxy(own: Own, path: string, redisPath: string): Promise<RedisProxy> {
  let rules: Rule[] = []
  const holds = new Set<{ text: string; caught: () => void }>()
  const connections = new Set<Connection>()
  let tokenCount = 0

  const accept = (client: Socket) => {
    const connection: Connection = { client, server: connect(redisPath), held: undefined }
    const { server } = connection
    connections.add(connection)
    const end = () => {
      connections.delete(connection)
      client.destroy()
      server.destroy()
    }
    client.on('close', end).on('error', end)
    server.on('close', end).on('error', end)

    const split = createCommandSplitter()
    let onReply = (bytes: Buffer) => {
      client.write(bytes)
    }
    server.on('data', bytes => {
      onReply(bytes)
    })

    /**
     * Resolves with the bytes of all replies up to now, from which the client gets nothing, once Redis has answered
     * `bytes`.
     */
    const carryOut = (bytes: Buffer, done: (replies: Buffer) => void) => {
      // An ECHO behind the command tells when its reply is complete, without understanding replies.
      const token = `proxy-token-${++tokenCount}`
      let replies: Buffer = Buffer.alloc(0)
      onReply = more => {
        replies = Buffer.concat([replies, more])
        const at = replies.indexOf(token)
        if (at >= 0) done(replies.subarray(0, replies.lastIndexOf('$', at)))
      }
      server.write(bytes)
      server.write(`*2\r\n$4\r\nECHO\r\n$${token.length}\r\n${token}\r\n`)
    }

    const breakWith = ({ fault, happened }: Rule, bytes: Buffer) => {
      client.removeAllListeners('data')
      client.resume()
      const finish = () => {
        end()
        happened()
      }
      switch (fault) {
        case 'lose-request':
          finish()
          break
        case 'cut-request':
          server.end(bytes.subarray(0, bytes.length / 2), finish)
          break
        case 'lose-reply':
          carryOut(bytes, finish)
          break
        case 'cut-reply':
          carryOut(bytes, replies => {
            client.end(replies.subarray(0, replies.length / 2), finish)
          })
          break
        case 'go-silent':
          carryOut(bytes, () => {
            onReply = () => undefined
            happened()
          })
          break
      }
    }

    client.on('data', chunk => {
      for (const { bytes } of split(chunk)) {
        // What matters stands in front: the function's name, the keys, the first arguments.
        const text = bytes.toString('latin1', 0, 1_000)
        const rule = rules.find(each => text.includes(each.text))
        const hold = [...holds].find(each => text.includes(each.text))
        if (connection.held !== undefined) {
          connection.held.push(bytes)
        } else if (rule !== undefined) {
          rules = rules.filter(each => each !== rule)
          breakWith(rule, bytes)
          return
        } else if (hold !== undefined) {
          connection.held = [bytes]
          hold.caught()
        } else {
          server.write(bytes)
        }
      }
    })
  }

  const listener = createServer(accept).listen(path)
  await once(listener, 'listening')
  const cutAll = () => {
    for (const { client, server } of [...connections]) {
      client.destroy()
      server.destroy()
    }
  }
  own(listener, () => {
    listener.close()
    cutAll()
  })

  return {
    url: `unix:${path}`,
    next(text, fault) {
      const { promise, resolve } = Promise.withResolvers<undefined>()
      rules.push({
        text,
        fault,
        happened: () => {
          resolve(undefined)
        }
      })
      return promise
    },
    hold(text) {
      const { promise, resolve } = Promise.withResolvers<undefined>()
      const hold = {
        text,
        caught: () => {
          resolve(undefined)
        }
      }
      holds.add(hold)
      return {
        caught: promise,
        release() {
          holds.delete(hold)
          for (const connection of connections) {
            for (const bytes of connection.held ?? []) connection.server.write(bytes)
            connection.held = undefined
          }
        }
      }
    },
    cutAll,
    calm() {
      rules = []
    }
  }
}
