// The least that a gateway can be: reads a body, queues what it says in one call for each turn of the event loop, and
// answers 202. It checks nothing and knows no id again. LISTEN and REDIS_URL are those of our gateway.
import { App } from 'uWebSockets.js'
import { centsFromDecimal } from '../../../shared/money.ts'
import type { Payment } from '../../../shared/payment.ts'
import { openQueue } from './queue.ts'

const path = (process.env.LISTEN ?? '').replace('unix:', '')
const queue = await openQueue(process.env.REDIS_URL ?? '')

let payments: Payment[] = []
let answers: (() => void)[] = []

const flush = async () => {
  const [batch, batchAnswers] = [payments, answers]
  payments = []
  answers = []
  await queue.accept(batch)
  for (const answer of batchAnswers) answer()
}

App()
  .post('/payments', res => {
    res.onAborted(() => undefined)
    res.onData((chunk, isLast) => {
      if (!isLast) return
      const { correlationId, amount } = JSON.parse(Buffer.from(chunk).toString()) as {
        correlationId: string
        amount: number
      }
      const cents = centsFromDecimal(amount)
      if (cents === undefined) throw new Error('the load tool sends whole cents')
      answers.push(() => {
        res.cork(() => {
          res.writeStatus('202 Accepted').end()
        })
      })
      if (payments.push({ correlationId, cents }) === 1)
        setImmediate(() => {
          void flush()
        })
    })
  })
  // HAProxy's health check.
  .get('/health', res => {
    res.end()
  })
  .listen_unix(() => {
    console.log(JSON.stringify({ msg: 'ready' }))
  }, path)
