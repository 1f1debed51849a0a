// The least that a worker can be: every 10 ms, as ours, one call that settles what was booked and takes what there is;
// each payment is sent once. It records nothing about where a payment may be, and an answer other than 200 ends it.
// REDIS_URL and DEFAULT_PROCESSOR_URL are those of our worker.
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { decimalFromCents } from '../../../shared/money.ts'
import type { QueuedPayment } from '../../../shared/redis/queued-payment.ts'
import { openQueue } from './queue.ts'

const EXCHANGE_EVERY_MS = 10
const IN_FLIGHT_MAX = 800
const TAKE_MAX = 200

const queue = await openQueue(process.env.REDIS_URL ?? '')
const pool = new Pool(process.env.DEFAULT_PROCESSOR_URL ?? '', { connections: IN_FLIGHT_MAX, pipelining: 1 })
const headers = ['content-type', 'application/json']
let booked: QueuedPayment[] = []
let inFlightCount = 0

const send = (payment: QueuedPayment) => {
  const body = `{"correlationId":"${payment.correlationId}","amount":${decimalFromCents(payment.cents)},"requestedAt":"${new Date().toISOString()}"}`
  inFlightCount += 1
  pool.dispatch(
    { path: '/payments', method: 'POST', headers, body },
    {
      onRequestStart: () => undefined,
      onResponseStart: (_controller, status) => {
        if (status !== 200) throw new Error(`the model answered ${status}`)
      },
      onResponseData: () => undefined,
      onResponseEnd: () => {
        inFlightCount -= 1
        booked.push(payment)
      },
      onResponseError: (_controller, error) => {
        throw error
      }
    }
  )
}

console.log(JSON.stringify({ msg: 'ready' }))
while (true) {
  const startedAtMs = performance.now()
  const settling = booked
  booked = []
  for (const payment of await queue.exchange(settling, Math.max(1, Math.min(TAKE_MAX, IN_FLIGHT_MAX - inFlightCount))))
    send(payment)
  await sleep(Math.max(0, EXCHANGE_EVERY_MS - (performance.now() - startedAtMs)))
}
