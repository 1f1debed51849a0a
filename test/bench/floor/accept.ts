// Accepting alone: one call for each batch, the next when it is answered.
//   node test/bench/floor/accept.ts bare|ours REDIS_SOCKET REDIS_PID SECONDS
import { newPayments } from '../../support/payments.ts'
import { BATCH, drive, PAYMENTS_PER_SECOND } from './driver.ts'
import { openQueue } from './queue.ts'

const [kind = '', socketPath = '', pid, seconds] = process.argv.slice(2)
const queue = await openQueue(kind, socketPath)
// Made before: their ids cost as much as the rest of the client's work.
const payments = newPayments(PAYMENTS_PER_SECOND * Number(seconds))
let next = 0
await drive(Number(pid), Number(seconds), async () => {
  const batch = payments.slice(next, next + BATCH)
  next += BATCH
  if (batch.length > 0) await queue.accept(batch)
  return batch.length
})
queue.close()
