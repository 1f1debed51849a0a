// Taking and settling alone, on a queue that was filled before: each exchange settles one batch and takes the next.
//   node test/bench/floor/settle.ts bare|ours REDIS_SOCKET REDIS_PID SECONDS
import type { QueuedPayment } from '../../../shared/redis/queued-payment.ts'
import { newPayments } from '../../support/payments.ts'
import { BATCH, drive, PAYMENTS_PER_SECOND } from './driver.ts'
import { openQueue } from './queue.ts'

const FILL_BATCH = 256

const [kind = '', socketPath = '', pid, seconds] = process.argv.slice(2)
const queue = await openQueue(kind, socketPath)
for (let count = 0; count < PAYMENTS_PER_SECOND * Number(seconds); count += FILL_BATCH)
  await queue.accept(newPayments(FILL_BATCH))
let taken: QueuedPayment[] = await queue.exchange([], BATCH)
await drive(Number(pid), Number(seconds), async () => {
  const settledCount = taken.length
  taken = await queue.exchange(taken, BATCH)
  return settledCount
})
queue.close()
