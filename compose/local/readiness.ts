// How each kind of part shows that it serves. Every probe is one short question, asked again until it says yes.
import { get } from 'node:http'
import { connect } from 'node:net'
import { readLogFrom } from './log-file.ts'

const PROBE_TIMEOUT_MS = 500

/** Whether the Redis at this socket answers PING with PONG; not while it still loads its data. */
export function redisAnswers(socketPath: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(socketPath)
    const settle = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(PROBE_TIMEOUT_MS, () => settle(false))
    socket.on('error', () => settle(false))
    socket.on('close', () => settle(false))
    socket.once('data', reply => settle(reply.toString().startsWith('+PONG')))
    socket.write('PING\r\n')
  })
}

/** Whether a process listens at this socket, however busy it is. */
export function isListening(socketPath: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(socketPath, () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

/** Whether GET on this URL answers 200. */
export function httpAnswers(url: string): Promise<boolean> {
  return new Promise(resolve => {
    const request = get(url, { agent: false, timeout: PROBE_TIMEOUT_MS }, response => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.on('timeout', () => request.destroy(new Error('timeout')))
    request.on('error', () => resolve(false))
  })
}

/** Whether a service has logged `"msg":"ready"` since the given byte of its log. */
export function hasLoggedReady(logPath: string, fromByte: number): boolean {
  return readLogFrom(logPath, fromByte).includes('"msg":"ready"')
}
