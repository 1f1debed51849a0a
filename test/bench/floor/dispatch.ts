// Sending alone: undici's dispatch against a model of a processor, so many payments under way all the time.
//   node test/bench/floor/dispatch.ts MODEL_URL MODEL_PID SECONDS
import { randomUUID } from 'node:crypto'
import { Pool } from 'undici'
import { whenBooked } from './booking.ts'
import { drive } from './driver.ts'

const CONNECTIONS = 64
const COUNT_EVERY = 1_000

const [url = '', pid, seconds] = process.argv.slice(2)
const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 })
const headers = ['content-type', 'application/json']
let isOver = false
let answered = 0
let notify: () => void = () => undefined

const send = () => {
  if (isOver) return
  const body = `{"correlationId":"${randomUUID()}","amount":19.90,"requestedAt":"${new Date().toISOString()}"}`
  pool.dispatch({ path: '/payments', method: 'POST', headers, body }, handler)
}
// One for all: they know nothing of their payment.
const handler = whenBooked(() => {
  answered += 1
  if (answered % COUNT_EVERY === 0) notify()
  send()
})
for (let count = 0; count < CONNECTIONS; count += 1) send()
await drive(Number(pid), Number(seconds), async () => {
  const before = answered
  await new Promise<void>(resolve => {
    notify = resolve
  })
  return answered - before
})
isOver = true
await pool.close()
