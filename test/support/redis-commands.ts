/** One whole command as it travels to Redis. */
export type RedisCommand = { bytes: Buffer; words: number }

/**
 * Cuts the stream of bytes from a client into whole commands (RESP arrays of bulk strings, which is all that client
 * libraries send). What is not whole yet is kept for the next call.
 */
export function createCommandSplitter(): (chunk: Buffer) => RedisCommand[] {
  let rest: Buffer = Buffer.alloc(0)
  return chunk => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const commands: RedisCommand[] = []
    let start = 0
    for (let command = commandAt(rest, start); command !== undefined; command = commandAt(rest, start)) {
      commands.push(command)
      start += command.bytes.length
    }
    rest = rest.subarray(start)
    return commands
  }
}

function commandAt(bytes: Buffer, start: number): RedisCommand | undefined {
  const header = numberAt(bytes, start, '*')
  if (header === undefined) return undefined
  let at = header.end
  for (let word = 0; word < header.value; word++) {
    const length = numberAt(bytes, at, '$')
    if (length === undefined) return undefined
    at = length.end + length.value + 2
    if (at > bytes.length) return undefined
  }
  return { bytes: bytes.subarray(start, at), words: header.value }
}

/**
 * The number of a header line such as `*3\r\n` or `$12\r\n`, and where the line ends; undefined when it is not whole.
 */
function numberAt(bytes: Buffer, at: number, sign: string): { value: number; end: number } | undefined {
  const end = bytes.indexOf('\r\n', at)
  if (end < 0) return undefined
  const line = bytes.toString('latin1', at, end)
  if (!line.startsWith(sign))
    throw new Error(`not a header line of a Redis command: ${JSON.stringify(line.slice(0, 40))}`)
  return { value: Number(line.slice(1)), end: end + 2 }
}
